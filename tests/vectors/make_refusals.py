"""Writes the tables of refusals into the pages that have one, from the catalogue of the service, and the examples of
the OpenAPI document, from the answers of a service (`make vectors`)."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from server.errors import UNNAMED_CLOSES, Refusal, answering, before_upgrade, closing
from server.http.openapi import EXAMPLES_FILE
from tests.server.http.specimens import SPECIMENS, answer_to

ROOT = Path(__file__).parents[2]
TABLES: Mapping[Path, tuple[str, ...]] = {
    ROOT / "PROTOCOL.md": ("close codes", "refused upgrades"),
    ROOT / "docs" / "http.md": ("refused requests",),
}
"""The tables of each page."""


def _table(kind: str, rows: Iterable[tuple[str, int | None, str]]) -> str:
    lines = [f"| `code` | {kind} | when |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {code} | {number} | {when} |" for code, number, when in rows)])


def _quoted(refusal: Refusal) -> str:
    return f"`{refusal.code}`"


def table(name: str) -> str:
    """One of the tables, as Markdown."""
    if name == "close codes":
        named = [(_quoted(each), each.close_code, each.when) for each in closing()]
        return _table("close code", [*named, *(("(none)", code, when) for code, when in UNNAMED_CLOSES.items())])
    if name == "refused upgrades":
        return _table("status", [(_quoted(each), each.http_status, each.when) for each in before_upgrade()])
    return _table("status", [(_quoted(each), each.http_status, each.requests or each.when) for each in answering()])


def with_tables(text: str, names: Iterable[str]) -> str:
    """A page with its tables between their marks, `<!-- close codes -->` and `<!-- end close codes -->`."""
    for name in names:
        begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found and found_end):
            raise ValueError(f"the marks {begin} and {end} are missing")
        text = f"{before}{begin}\n{table(name)}\n{end}{after}"
    return text


def examples() -> dict[str, dict[str, Any]]:
    """What a service answers to a bad request of each kind, by operation and code."""
    found: dict[str, dict[str, Any]] = {}
    for specimen in SPECIMENS:
        _, answer = answer_to(specimen)
        found.setdefault(f"{specimen.method} {specimen.path}", {})[specimen.code] = answer
    return found


def main() -> None:
    """Writes the pages and the examples."""
    EXAMPLES_FILE.write_text(json.dumps(examples(), indent=2, ensure_ascii=False) + "\n")
    for path, names in TABLES.items():
        path.write_text(with_tables(path.read_text(), names))


if __name__ == "__main__":
    main()
