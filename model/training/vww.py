"""Visual Wake Words (Chowdhery et al. 2019) from the annotations of MS COCO: which pictures, and their labels.

The label rule is that of the public scripts: 1 where at least one annotation of a person covers more than 0.5 % of the
picture, by its mask (`area` in COCO), crowds included. Crops are labelled by boxes instead (`label_of_crop`), 0.5 % or
more. The public list of minival ids names the pictures to validate on, whatever COCO split they come from; all others
are to train on (maxitrain). The ids of 2014 and 2017 are the same, the names of the files are not.
"""

import contextlib
import io
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pycocotools.coco import COCO

from model.training.photos import IndexRow, PhotosError

MIN_MASK_AREA: Final = 0.005
"""Share of the picture that a person's mask has to exceed."""

YEARS: Final = ("2014", "2017")
MINIVAL_IDS: Final = "mscoco_minival_ids.txt"


def vww_label(annotations: Iterable[dict[str, Any]], persons: Collection[int], width: int, height: int) -> int:
    """1 if a person's mask covers more than `MIN_MASK_AREA` of a picture of width x height px, else 0.

    Args:
        annotations: of the picture, as in COCO's JSON; masks' `area` in px².
        persons: ids of the categories that are persons.
    """
    areas = [each["area"] / (width * height) for each in annotations if each["category_id"] in persons]
    return int(max(areas, default=0.0) > MIN_MASK_AREA)


def read_minival_ids(path: Path) -> frozenset[int]:
    """The ids of minival, one a line.

    Raises:
        PhotosError: no such file, or a line that isn't an id.
    """
    try:
        return frozenset(int(line) for line in path.read_text().split())
    except OSError as error:
        raise PhotosError(f"{path}: {error.strerror}; expected the public list of minival ids, one a line") from error
    except ValueError as error:
        raise PhotosError(f"{path}: expected the public list of minival ids, one a line ({error})") from error


def vww_rows(coco: Path, year: str | None = None, minival_ids: Path | None = None) -> Iterator[IndexRow]:
    """The pictures of Visual Wake Words, to train on (`train`) and to validate on (`val`).

    Args:
        coco: folder with `annotations/` and the pictures, in `train2014/`, `val2014/`, `all2014/` (or 2017) or itself.
            The annotations are COCO's own (`instances_train2017.json`, `instances_val2017.json`) or those that the
            public scripts write (`instances_train.json`, `instances_val.json`: already split, and labelled 0 and 1).
        year: 2014 or 2017; the one there is if None.
        minival_ids: the public list; `mscoco_minival_ids.txt` in the folder if None. Not needed for annotations that
            are split already.

    Raises:
        PhotosError: annotations or ids that are missing or malformed.
    """
    folder = coco / "annotations"
    split = {name: folder / f"instances_{name}.json" for name in ("train", "val")}
    if year is None and all(path.is_file() for path in split.values()):
        places = _places(coco, YEARS)
        for name, path in split.items():
            yield from _rows(path, places, name)
        return
    year = year or _year_of(folder)
    files = [folder / f"instances_{part}{year}.json" for part in ("train", "val")]
    for path in files:
        if not path.is_file():
            raise PhotosError(f"{path}: no such file; expected the annotations of COCO {year}")
    minival = read_minival_ids(minival_ids or coco / MINIVAL_IDS)
    places = _places(coco, (year,))
    for path in files:
        yield from _rows(path, places, minival)


def _year_of(folder: Path) -> str:
    found = [year for year in YEARS if (folder / f"instances_train{year}.json").is_file()]
    if len(found) != 1:
        raise PhotosError(
            f"{folder}: annotations of {' and '.join(found)}; name one with --year"
            if found
            else f"{folder}: neither instances_train2014.json nor instances_train2017.json is there"
        )
    return found[0]


def _places(coco: Path, years: Iterable[str]) -> dict[str, Path]:
    """Where each picture lies, by name: one look into each folder instead of one for each picture."""
    folders = [coco / f"{part}{year}" for year in years for part in ("train", "val", "all")]
    return {
        path.name: path
        for folder in (coco, *folders)
        if folder.is_dir()
        for path in folder.iterdir()
        if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    }


def _rows(path: Path, places: dict[str, Path], split: str | frozenset[int]) -> Iterator[IndexRow]:
    """The pictures of a file of annotations; all of one split, or by the ids of minival."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its timings
            annotated: Any = COCO(str(path))  # type: ignore[no-untyped-call]
        persons = set(annotated.getCatIds(catNms=["person"]))
        if not persons:
            raise PhotosError(f"{path}: there is no category 'person'")
        for image_id in sorted(annotated.getImgIds()):
            image = annotated.imgs[image_id]
            width, height = image["width"], image["height"]
            annotations = annotated.imgToAnns[image_id]
            boxes = tuple(
                (x / width, y / height, across / width, down / height)
                for each in annotations
                if each["category_id"] in persons
                for x, y, across, down in [each["bbox"]]
            )
            yield IndexRow(
                places.get(image["file_name"], path.parent.parent / image["file_name"]),
                split if isinstance(split, str) else ("val" if image_id in split else "train"),
                vww_label(annotations, persons, width, height),
                "coco",
                boxes,
            )
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, PhotosError):
            raise
        raise PhotosError(f"{path}: not the annotations of COCO instances ({error!r})") from error
