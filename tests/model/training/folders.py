"""Folders of photographs made by hand."""

from pathlib import Path

INDEX_HEADER = "file,split,label,source,person_boxes"


def write_index(folder: Path, *lines: str, header: str = INDEX_HEADER) -> Path:
    (folder / "index.csv").write_text("\n".join((header, *lines)) + "\n")
    return folder
