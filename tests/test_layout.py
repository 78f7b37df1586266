import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("model", "sensor_sim", "server", "clients")

TESTED_ELSEWHERE = {
    "clients/commands/bench/*": "`test_command.py` runs every measurement in its quick form",
    "clients/commands/classify/*": "`test_command.py` runs the command here and by a service",
    "clients/commands/evidence/*": "the commands' tests draw and write everything",
    "clients/commands/stream/*": "`test_stream.py` runs the commands in one process with a service",
    "clients/commands/train/*": "`test_train.py` and `test_data.py` run the commands one after the other",
    "clients/commands/photos.py": "an option",
    "clients/commands/plot.py": "every command that draws is tested",
    "clients/commands/service.py": "options",
    "clients/python/errors.py": "a class, and names to import",
    "model/kernel/build.py": "runs at installation",
    "server/*/schemas.py": "no behaviour; `tests/server/http/test_openapi.py` compares them with answers",
    "server/pictures/entries.py": "likewise",
    "server/app.py": "the composition root: every test of a door makes it",
    "server/connections/uvicorn_options.py": "every test that starts a service uses them",
    "server/service.py": "`test_main.py` starts it",
}
"""Modules without a test file of the same name, as patterns, and what tests them."""
OF_SEVERAL_MODULES = {
    "tests/clients/python/test_protocol_breaches.py",
    "tests/model/kernel/test_sanitized.py",
    "tests/model/test_regression_vectors.py",
    "tests/sensor_sim/test_emitter_laws.py",
    "tests/sensor_sim/test_emva.py",
    "tests/sensor_sim/test_network_camera_device.py",
    "tests/server/test_certified_service.py",
    "tests/server/test_watched_service.py",
}
"""Test files in mirrored folders that are about no module alone."""


PURE = re.compile(r"No I/O|\b[Ss]ans[ -]I/O|\bPure\.|Nothing here does I/O")
"""Words by which a module's docstring says that the module is pure."""
PURE_IN_PART = {
    "server/stream/connection.py": "names websockets' own sans-I/O protocol",
    "server/stream/upgrade.py": "reads heads by websockets' own, and refuses by Starlette's answers",
}


def _modules() -> list[Path]:
    folders = [ROOT / package for package in PACKAGES]
    found = [path for folder in folders for path in folder.rglob("*.py") if "node_modules" not in path.parts]
    return [path.relative_to(ROOT) for path in found if path.name != "__init__.py"]


def _test_of(module: Path) -> Path:
    return Path("tests") / module.parent / f"test_{module.stem.strip('_')}.py"


def test_each_module_has_a_test_file_of_its_name() -> None:
    lacking = [module for module in _modules() if not (ROOT / _test_of(module)).is_file()]
    unexplained = [str(module) for module in lacking if not any(map(module.match, TESTED_ELSEWHERE))]
    assert unexplained == []
    assert [each for each in TESTED_ELSEWHERE if not any(module.match(each) for module in lacking)] == []


def test_each_test_file_in_a_mirrored_folder_is_of_a_module() -> None:
    modules = _modules()
    folders = {module.parent for module in modules}
    tests = {test.relative_to(ROOT) for folder in folders for test in (ROOT / "tests" / folder).glob("test_*.py")}
    assert {str(test) for test in tests - set(map(_test_of, modules))} == OF_SEVERAL_MODULES


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_of_a_common_name_is_ours(package: str) -> None:
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found).resolve() == ROOT / package / "__init__.py"


def test_nobody_imports_sideways_or_up() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_an_init_file_is_one_docstring(package: str) -> None:
    for path in (ROOT / package).rglob("__init__.py"):
        assert len(path.read_text().strip().splitlines()) == 1, path


def test_a_readers_own_files_are_left_alone() -> None:
    """Whoever follows README has pictures, programs and packages beside the project's files; git and ruff skip them."""
    own = ("mine/example.py", "mine/w.certificate.json", "photo.jpg", "photos/a.jpg", "film.mp4", "package-0.1.0.tgz")
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of git")
    ignored = subprocess.run(("git", "check-ignore", *own), cwd=ROOT, capture_output=True, text=True, check=False)
    assert ignored.stdout.split() == list(own)


def test_each_module_that_claims_to_be_pure_is_in_the_pure_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (pure,) = (each["source_modules"] for each in contracts if each["name"].startswith("The core does no I/O"))
    claims = {
        module
        for module in _modules()
        if module.parts[:2] != ("clients", "commands") and module.parts[:2] != ("model", "training")
        if PURE.search(ast.get_docstring(ast.parse((ROOT / module).read_text())) or "")
    }
    missing = {str(each) for each in claims if ".".join(each.with_suffix("").parts) not in pure}
    assert missing == set(PURE_IN_PART)
