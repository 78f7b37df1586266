"""Writes the pictures that `make site` puts beside the page: photographs under free licences, and drawn scenes."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from sensor_sim.scene import sample_photos
from tests.page.scenes import SCENES, scene

SIDE_PX: Final = 480
"""Longest side; four times the frame of the smaller network."""
QUALITY: Final = 85


@dataclass(frozen=True)
class Origin:
    """Where a photograph of scikit-image comes from, as its documentation says."""

    shows: str
    licence: str


ORIGINS: Final = {
    "astronaut": Origin("Eileen Collins, astronaut; photograph by NASA", "public domain"),
    "camera": Origin("a man with a camera; photograph by Lav Varshney", "CC0"),
    "chelsea": Origin("Chelsea the cat; photograph by Stefan van der Walt", "CC0"),
    "coffee": Origin("a cup of coffee; photograph by Rachel Michetti", "CC0"),
    "rocket": Origin("launch of DSCOVR; photograph by SpaceX", "public domain"),
}
"""The photographs that are free; the other samples of the demo stay at home."""


def write_samples(folder: Path) -> list[Path]:
    """Writes JPEG files and `LICENSES.txt`, which names the licence of each.

    Returns:
        The pictures, photographs first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    photos = {path.stem: path for path in sample_photos() if path.stem in ORIGINS}
    pictures = {name: Image.open(path).convert("RGB") for name, path in photos.items()}
    pictures |= {f"drawn-{name}": scene(name) for name in SCENES}
    written = []
    for name, picture in pictures.items():
        picture.thumbnail((SIDE_PX, SIDE_PX))
        written.append(folder / f"{name}.jpg")
        picture.save(written[-1], quality=QUALITY)
    lines = [f"{name}.jpg: {ORIGINS[name].shows}. {ORIGINS[name].licence}, by way of scikit-image." for name in photos]
    lines.append("drawn-*.jpg: drawn by this project, under its licence (Apache-2.0).")
    (folder / "LICENSES.txt").write_text("\n".join(lines) + "\n")
    return written


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
