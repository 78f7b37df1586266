"""Writes raw_rows.json: rows of raw formats and what they are in RGB, for the same in JavaScript."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from model.preprocess import RAW_FORMATS, rgb_rows

FILE = Path(__file__).parent / "raw_rows.json"

SIZES = ((5, 8), (1, 2), (3, 7))
"""Rows without a halo, and columns."""


def vectors() -> list[dict[str, Any]]:
    """Rows of noise in each format, at an even and an odd place of the frame."""
    rng = np.random.default_rng(26)
    made = []
    for pixel_format in RAW_FORMATS:
        for rows, width in SIZES:
            for first_row in (0, 5):
                halo = 2 * pixel_format.startswith("bayer")
                samples = rng.integers(0, 256, (rows + halo, width, 1), np.uint8)
                rgb = rgb_rows(samples, pixel_format, first_row)
                made.append(
                    {
                        "pixel_format": pixel_format,
                        "width": width,
                        "first_row": first_row,
                        "samples": samples.tobytes().hex(),
                        "rgb": rgb.tobytes().hex(),
                    }
                )
    return made


def main() -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main()
