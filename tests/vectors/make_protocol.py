"""Writes the tables of PROTOCOL.md that say what the code already says: phases, messages, policies."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from model.exit_policy import POLICIES, CalibratedPolicy, defaults_of, parameters_of
from sensor_sim.wire import TYPE_OF, TYPES, ClientMessage, Control, Sync
from server.stream.session import LEGAL

FILE = Path(__file__).parent.parent.parent / "PROTOCOL.md"


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    written = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return re.sub(r"\| +(?=\|)", "| ", written).replace("| --- ", "|---")


def phases() -> str:
    """Which message leads from which phase to which."""
    rows = [
        (f"`{phase}`", f"`{TYPE_OF[kind]}`", f"`{leads}`")
        for phase, legal in LEGAL.items()
        for kind, leads in legal.items()
    ]
    rows += [(f"`{phase}`", "nothing", "") for phase, legal in LEGAL.items() if not legal]
    return _table(("phase", "client may send", "leads to"), rows)


def messages() -> str:
    """Every control message with its fields."""
    rows = []
    for name, kind in TYPES.items():
        sender = "both" if kind is Sync else "client" if issubclass(kind, ClientMessage) else "server"
        rows.append((f"`{name}`", sender, "", "", "", summary_of(kind)))
        meanings = meanings_of(kind)
        for field in msgspec.structs.fields(kind):
            described = inspect.type_info(field.type)
            rows.append(("", "", f"`{field.name}`", _type(described), _default(field), meanings[field.name]))
    return _table(("message", "from", "field", "JSON", "default", "meaning"), rows)


def summary_of(kind: type[Control]) -> str:
    """The first sentences of a message's docstring, on one line."""
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def meanings_of(kind: type[Control]) -> dict[str, str]:
    """What the docstring says of each field, on one line."""
    attributes = (kind.__doc__ or "").partition("Attributes:\n")[2]
    found = re.findall(r"^ {8}(\w+): (.*?)(?=^ {8}\w|\Z)", attributes + "\n", re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}


def _type(described: inspect.Type) -> str:
    match described:
        case inspect.UnionType():
            return " or ".join(_type(each) for each in described.types)
        case inspect.NoneType():
            return "null"
        case inspect.BoolType():
            return "boolean"
        case inspect.IntType():
            return f"integer, {_range(described.ge, None if described.lt is None else described.lt - 1)}"
        case inspect.FloatType():
            return f"number, {_range(described.ge, described.le)}"
        case inspect.StrType():
            least, most = described.min_length or 0, described.max_length
            return f"string, {least}..{most} characters"
        case inspect.EnumType():
            return "string, a pixel format"
        case inspect.DictType() | inspect.StructType():
            return "object"
    raise TypeError(f"PROTOCOL.md has no word for {described}")


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return f"{low:g} or more"
    power = int(high + 1).bit_length() - 1
    return f"{low:g}..{f'2^{power} - 1' if high > 1 else format(high, 'g')}"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    return f"`{json.dumps(field.default)}`"


def policies() -> str:
    """Every exit policy with its parameters."""
    rows: list[tuple[str, ...]] = []
    for kind in (*POLICIES.values(), CalibratedPolicy):
        known: dict[str, Any] = {} if kind is CalibratedPolicy else parameters_of(kind)
        defaults = defaults_of(kind)
        told = [
            f"`{name}` ({defaults[name]:g}; {parameter.words.removeprefix('in ')})" for name, parameter in known.items()
        ]
        if kind.ordered:
            told.append("`{}` below `{}`".format(*kind.ordered))
        rows.append((f"`{kind.name}`", "; ".join(told) or "none", re.sub(r"\{(\w+)(?::%)?\}", r"`\1`", kind.sentence)))
    return _table(("`name`", "parameters (default; range)", "rule"), rows)


def page(text: str) -> str:
    """PROTOCOL.md with its tables as they are today."""
    for name, table in (("phases", phases()), ("messages", messages()), ("policies", policies())):
        begin, end = f"<!-- {name}, by `make vectors` -->\n", f"\n<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"PROTOCOL.md has no place for {name}: {begin.strip()} ... {end.strip()}")
        text = before + begin + table + end + after
    return text


def main() -> None:
    """Writes the file."""
    FILE.write_text(page(FILE.read_text()))


if __name__ == "__main__":
    main()
