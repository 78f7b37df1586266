"""The product uses documented parts of other libraries alone: no private names, no patches, no matching of messages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("model", "sensor_sim", "server", "clients")
FILES = [ROOT / "setup.py", *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))]

BUILT_FROM_C = ("model.kernel._kernel", "model.kernel._step", "server.stream._frames")
DOCUMENTED = frozenset({"_asdict", "_fields", "_field_defaults", "_make", "_replace"})
"""Of a named tuple: underscored, so that they don't meet the names of fields."""
HOOKS = ("sys.unraisablehook",)
"""Attributes that their documentation says are there to be set."""
INSIDE_OTHERS = ("uvicorn.lifespan", "uvicorn.protocols", "uvicorn.supervisors", "websockets.legacy")
"""Modules of other libraries that have no underscore and no documentation."""
RUNNING_CODE = ("ag_", "cr_", "gi_")
"""Beginnings of attributes of generators and coroutines that run."""
MESSAGES = {"str(error)", "repr(error)", "error.detail", "error.args"}
MATCHES_MESSAGES = {"model/picture.py": "Pillow has one type of error for every fault; a test asks for the word"}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in DOCUMENTED


def _own_names(tree: ast.Module) -> set[str]:
    """Names that a module gives to attributes, functions and classes of its own."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.arg(arg=name):
                names.add(name)
    return names


def _foreign_names(tree: ast.Module) -> set[str]:
    """Names that a module imports from elsewhere."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=imported):
                names |= {each.asname or each.name.partition(".")[0] for each in imported}
            case ast.ImportFrom(module=module, names=imported) if (module or "").partition(".")[0] not in PACKAGES:
                names |= {each.asname or each.name for each in imported}
    return names - set(PACKAGES)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    for each in node.names:
        yield each.name if isinstance(node, ast.Import) else f"{node.module}.{each.name}"


def faults(source: str) -> Iterator[str]:
    """Uses of parts of other libraries that they don't document."""
    tree = ast.parse(source)
    own, foreign = _own_names(tree), _foreign_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=value, attr=name, ctx=context):
                if _is_private(name) and name not in own:
                    yield f"{node.lineno}: private: {ast.unparse(node)}"
                elif name.startswith(RUNNING_CODE) or name == "__code__":
                    yield f"{node.lineno}: running code: {ast.unparse(node)}"
                set_anew = not isinstance(context, ast.Load) and _root(value) in foreign
                if set_anew and ast.unparse(node) not in HOOKS:
                    yield f"{node.lineno}: a patch: {ast.unparse(node)}"
            case ast.Import() | ast.ImportFrom():
                for name in _imported(node):
                    private = any(map(_is_private, name.split("."))) and not name.startswith(BUILT_FROM_C)
                    if private or name.startswith(INSIDE_OTHERS):
                        yield f"{node.lineno}: private: {name}"
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" as function), args=[value, ast.Constant(str(name)), *_]
            ):
                if _is_private(name) and name not in own:
                    yield f"{node.lineno}: private: {ast.unparse(node)}"
                if function == "setattr" and _root(value) in foreign:
                    yield f"{node.lineno}: a patch: {ast.unparse(node)}"


def matched_messages(source: str) -> Iterator[str]:
    """Comparisons of a text with the message of an error."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            inside = {ast.unparse(each) for each in ast.walk(node.comparators[0]) if isinstance(each, ast.expr)}
            if inside & MESSAGES:
                yield f"{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize(
    "specimen",
    [
        "import torch\ntorch._dynamo.config.recompile_limit = 64",
        "import torch\ntorch._foreach_lerp_(values, others, 0.1)",
        "from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol",
        "from uvicorn.supervisors import multiprocess",
        "import uvicorn\nuvicorn.server.HANDLED_SIGNALS = ()",
        "import uvicorn\nsetattr(uvicorn, 'run', print)",
        "class Ours(Theirs):\n    def stop(self):\n        self._server.close()",
        "getattr(connection, '_transport')",
        "conn.parser.gi_yieldfrom.gi_code is StreamReader.at_eof.__code__",
        "from asyncio import _get_running_loop",
        "import websockets.legacy.server",
    ],
)
def test_private_parts_are_found(specimen: str) -> None:
    assert list(faults(specimen))


def test_matched_messages_are_found() -> None:
    assert list(matched_messages('found = "Too many files" in error.detail'))
    assert list(matched_messages('found = "truncated" in str(error).lower()'))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_other_libraries_are_used_by_their_documented_parts(path: Path) -> None:
    source = path.read_text()
    assert list(faults(source)) == []
    if path.relative_to(ROOT).as_posix() not in MATCHES_MESSAGES:
        assert list(matched_messages(source)) == []
