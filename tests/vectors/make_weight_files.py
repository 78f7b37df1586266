"""Writes the table of docs/javascript.md: how large the files of weights are that come with the package."""

import gzip
from collections import Counter
from pathlib import Path
from typing import Final

from safetensors import safe_open

from model.checkpoint import WEIGHTS_FOLDER

FILE: Final = Path(__file__).parent.parent.parent / "docs" / "javascript.md"
BEGIN: Final = "<!-- weights, by `make vectors` -->\n"
END: Final = "<!-- end of weights -->"
WORDS: Final = {"F32": "float32", "F16": "float16", "I8": "int8", "I32": "int32"}


def stored_as(weights: Path) -> str:
    """The type of most numbers of a file."""
    numbers: Counter[str] = Counter()
    with safe_open(weights, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            part = file.get_slice(name)
            size = 1
            for length in part.get_shape():
                size *= length
            numbers[part.get_dtype()] += size
    return WORDS[numbers.most_common(1)[0][0]]


def gzipped_bytes(file: Path) -> int:
    """Size of a file as web servers send it."""
    return len(gzip.compress(file.read_bytes()))


def table() -> str:
    """The files by their names in the package."""
    rows = [
        (path.name.removeprefix("rascanet_"), stored_as(path), path.stat().st_size, gzipped_bytes(path))
        for path in sorted(WEIGHTS_FOLDER.glob("*.safetensors"))
    ]
    lines = [
        f"| `{name}` | {words} | {size / 1000:.0f} | {packed / 1000:.0f} |\n" for name, words, size, packed in rows
    ]
    return "| file of `weights/` | numbers | kB | kB gzipped |\n|---|---|---|---|\n" + "".join(lines)


def page(text: str) -> str:
    """The page with its table as it is today."""
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"{FILE} has no place for the table: {BEGIN.strip()} ... {END}")
    return before + BEGIN + table() + END + after


def main() -> None:
    """Writes the table."""
    FILE.write_text(page(FILE.read_text()))


if __name__ == "__main__":
    main()
