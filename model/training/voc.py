"""Pictures of Pascal VOC (XML annotations), and plain folders of pictures, as labelled photographs."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from model.training.augment import label_of_crop
from model.training.photos import SPLITS, Box, IndexRow, PhotosError

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
LABELS = {"no_person": 0, "person": 1}
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def split_by_name(name: str, val_share: float, calibration_share: float) -> str:
    """A split drawn by the hash of a picture's name: the same on every machine, whatever else lies in the folder."""
    drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return "val" if drawn < val_share else "calibration" if drawn < val_share + calibration_share else "train"


def voc_rows(folder: Path, val_share: float = 0.1, calibration_share: float = 0.1) -> Iterator[IndexRow]:
    """The pictures of a `VOC2007` or `VOC2012` folder; label 1 where a person's box covers 0.5 % or more.

    Splits are those of `ImageSets/Main/train.txt`, `val.txt` and `test.txt` where these name the picture, part of the
    first kept for calibration; else drawn by name.

    Raises:
        PhotosError: no annotations, or one that is malformed (named).
    """
    annotations = sorted((folder / "Annotations").glob("*.xml"))
    if not annotations:
        raise PhotosError(f"{folder}: no Annotations/*.xml; expected a folder like VOCdevkit/VOC2012")
    named: dict[str, str] = {}
    for split in ("train", "val", "test"):
        file = folder / "ImageSets" / "Main" / f"{split}.txt"
        if file.is_file():
            named |= {line.split()[0]: split for line in file.read_text().splitlines() if line.strip()}
    for path in annotations:
        try:
            root = ElementTree.parse(path).getroot()  # noqa: S314 - expat does not expand external entities
            width, height = (float(_text(root, f"size/{side}")) for side in ("width", "height"))
            boxes = tuple(
                _voc_box(found, width, height)
                for found in root.iterfind("object")
                if _text(found, "name").strip() == "person"
            )
        except (ElementTree.ParseError, ValueError, ZeroDivisionError) as error:
            raise PhotosError(f"{path}: not an annotation of Pascal VOC ({error})") from error
        split = named.get(path.stem, "")
        if split in ("", "train"):
            split = split_by_name(path.stem, 0.0 if split else val_share, calibration_share)
        yield IndexRow(
            folder / "JPEGImages" / f"{path.stem}.jpg",
            split,
            label_of_crop(boxes, WHOLE),
            "voc",
            boxes,
        )


def _voc_box(found: ElementTree.Element, width: float, height: float) -> Box:
    left, top, right, bottom = (float(_text(found, f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
    return (left - 1) / width, (top - 1) / height, (right - left + 1) / width, (bottom - top + 1) / height  # from 1


def _text(element: ElementTree.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"{path} is missing")
    return text


def folder_rows(folder: Path, val_share: float = 0.1, calibration_share: float = 0.1) -> Iterator[IndexRow]:
    """The pictures in `person/` and `no_person/`, at any depth; in `train/person/` and so on where there are splits.

    Raises:
        PhotosError: there is neither.
    """
    found = False
    for split in (None, *SPLITS):
        for name, label in LABELS.items():
            part = folder / name if split is None else folder / split / name
            for path in sorted(part.rglob("*")) if part.is_dir() else ():
                if path.suffix.lower() in PICTURES:
                    found = True
                    place = path.relative_to(folder).as_posix()
                    drawn = split or split_by_name(place, val_share, calibration_share)
                    yield IndexRow(path, drawn, label, folder.name, None if label else ())
    if not found:
        raise PhotosError(f"{folder}: no pictures in person/ and no_person/, nor in train/person/ and so on")
