"""Folders of photographs made by hand."""

from pathlib import Path

import numpy as np
from PIL import Image

INDEX_HEADER = "file,split,label,source,person_boxes"


def write_index(folder: Path, *lines: str, header: str = INDEX_HEADER) -> Path:
    (folder / "index.csv").write_text("\n".join((header, *lines)) + "\n")
    return folder


SOURCES = ("street", "street", "garden")


def write_twelve(folder: Path) -> Path:
    """Twelve small pictures: six to train, six to validate; those with a person are bright."""
    rng = np.random.default_rng(1)
    lines = [INDEX_HEADER]
    for number in range(12):
        split, label = ("train", "val")[number // 6], number % 2
        pixels = rng.integers(100 * label, 100 * label + 120, (32, 30, 3), np.uint8)
        name = f"{number}.jpg"
        Image.fromarray(pixels).save(folder / name)
        boxes = '"[[0.2, 0.2, 0.5, 0.6]]"' if label else "[]"
        lines.append(f"{name},{split},{label},{SOURCES[number // 2 % 3]},{boxes}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder
