"""Visual Wake Words (Chowdhery et al. 2019) from the annotations of MS COCO: pictures, splits and labels.

The label rule is that of the public scripts: 1 where at least one annotation of a person covers more than 0.5 % of the
picture, by its mask (`area` in COCO), crowds included. Crops are labelled by boxes instead (`label_of_crop`), 0.5 % or
more. The public list of minival ids names the pictures to validate on, from any split of COCO; all other pictures are
to train on (maxitrain). The ids of 2014 and 2017 are the same, the names of the files are not.
"""

import codecs
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec

from model.picture import SUFFIXES
from model.training.dataset import Box, BoxError, DataSet, IndexRow, UnclearError, box_between, own_size
from model.training.photos import PhotosError
from model.training.text_file import read_text

MIN_MASK_AREA: Final = 0.005
"""Share of the picture that a person's mask has to exceed."""

YEARS: Final = ("2014", "2017")
PARTS: Final = ("train", "val")
MINIVAL_IDS: Final = "mscoco_minival_ids.txt"


class Category(msgspec.Struct):
    """A category of annotated things."""

    id: int
    name: str


class Image(msgspec.Struct):
    """A picture; width and height in px, unknown where they are missing or 0."""

    id: int
    file_name: Annotated[str, msgspec.Meta(min_length=1)]
    width: float | None = None
    height: float | None = None


class Annotation(msgspec.Struct):
    """A thing in a picture: its mask's area in px², its box (x, y, width, height in px)."""

    image_id: int
    category_id: int
    area: float | None = None
    bbox: list[float | None] | None = None


class _OfPicture(msgspec.Struct):
    """The one field of an unreadable annotation that names its picture."""

    image_id: int


Entry = TypeVar("Entry", Image, Annotation)


class Annotations(msgspec.Struct):
    """A file of COCO's instances; entries are decoded one by one, since one of them may be damaged."""

    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[Category]


@dataclass(slots=True)
class _Pictured:
    """A picture of a file of annotations, its people, and the reason to doubt them (empty: none)."""

    image: Image
    people: list[Annotation] = field(default_factory=list)
    doubt: str = ""


def vww_label(areas: Iterable[float], width: float, height: float) -> int:
    """1 if one of the people's masks (`areas`, px²) covers more than `MIN_MASK_AREA` of width x height px, else 0."""
    return int(max(areas, default=0.0) / (width * height) > MIN_MASK_AREA)


def read_minival_ids(path: Path) -> frozenset[int]:
    """Reads the ids of minival, one a line.

    Raises:
        PhotosError: no such file, or a line that isn't an id (its picture would go to the training split).
    """
    wanted = "expected the public list of minival ids, one a line"
    try:
        lines = read_text(path).splitlines()
    except OSError as error:
        raise PhotosError(f"{path}: {error.strerror}; {wanted}") from error
    ids = set()
    for number, line in enumerate(lines, start=1):
        try:
            ids |= {int(word) for word in line.split()}
        except ValueError as error:
            raise PhotosError(f"{path}, line {number}: {line[:40]!r} is no id; {wanted}") from error
    return frozenset(ids)


def read_vww(coco: Path, year: str | None = None, minival_ids: Path | None = None) -> DataSet:
    """Reads the pictures of Visual Wake Words, to train on (`train`) and to validate on (`val`).

    Args:
        coco: folder with `annotations/` and the pictures, in `train2014/`, `val2014/`, `all2014/` (or 2017) or itself.
            The annotations are COCO's own (`instances_train2017.json`, `instances_val2017.json`) or those that the
            public scripts write (`instances_train.json`, `instances_val.json`: already split, and labelled 0 and 1).
        year: 2014 or 2017; None: the one year whose annotations are there.
        minival_ids: the public list; None: `mscoco_minival_ids.txt` in the folder. Annotations that are split already
            don't need a list.

    Raises:
        PhotosError: annotations or ids that are missing or malformed.
    """
    data, folder = DataSet(), coco / "annotations"
    split_already = {part: folder / f"instances_{part}.json" for part in PARTS}
    if year is None and all(path.is_file() for path in split_already.values()):
        for part, path in split_already.items():
            places = _Places([coco / f"{name}{each}" for name in (part, "all", *PARTS) for each in YEARS] + [coco])
            _read_part(data, path, places, part)
        return data
    year = year or _year_of(folder)
    files = {part: folder / f"instances_{part}{year}.json" for part in PARTS}
    for path in files.values():
        if not path.is_file():
            raise PhotosError(f"{path}: no such file; expected the annotations of COCO {year}")
    minival_file = minival_ids or coco / MINIVAL_IDS
    minival = read_minival_ids(minival_file)
    seen = set()
    for part, path in files.items():
        places = _Places([coco / f"{name}{year}" for name in (part, "all", *PARTS)] + [coco])
        seen |= _read_part(data, path, places, minival)
    if minival - seen:
        data.leave_out(
            minival_file, f"no annotations of {len(minival - seen)} of its ids, {min(minival - seen)} for one"
        )
    return data


def _year_of(folder: Path) -> str:
    found = [year for year in YEARS if (folder / f"instances_train{year}.json").is_file()]
    if len(found) != 1:
        raise PhotosError(
            f"{folder}: annotations of {' and '.join(found)}; name one with --year"
            if found
            else f"{folder}: neither instances_train2014.json nor instances_train2017.json is there"
        )
    return found[0]


class _Places:
    """Paths of pictures by name: each folder is listed once, instead of one look for each picture.

    Args:
        folders: folders in order; the first that has a name counts.
    """

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self._exact: dict[str, Path] = {}
        self._small: dict[str, Path] = {}
        for folder in folders:
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.suffix.lower() in SUFFIXES:
                    self._exact.setdefault(path.name, path)
                    self._small.setdefault(path.name.lower(), path)

    def find(self, name: str) -> Path:
        """The path of a picture, by name in small letters or capitals; the expected path if the picture is missing."""
        name = name.replace("\\", "/").rpartition("/")[2]
        return self._exact.get(name) or self._small.get(name.lower()) or self._folders[0] / name


def _read_part(data: DataSet, path: Path, places: _Places, split: str | frozenset[int]) -> set[int]:
    """Adds the pictures of a file of annotations to `data`; returns their ids.

    Args:
        data: the data set.
        path: the file of annotations.
        places: paths of the pictures.
        split: the split of all pictures, or the ids of minival, which are `val`.
    """
    pictured = _pictured(data, path)
    for image_id, each in sorted(pictured.items()):
        picture = places.find(each.image.file_name)
        try:
            label, boxes = _shown(each, picture, data)
        except UnclearError as error:
            data.leave_out(picture, f"{path.name}: {error}")
            continue
        chosen = split if isinstance(split, str) else "val" if image_id in split else "train"
        data.rows.append(IndexRow(picture, chosen, label, "coco", boxes))
    return set(pictured)


def _pictured(data: DataSet, path: Path) -> dict[int, _Pictured]:
    """Reads the pictures of a file of annotations, by id, each with its people.

    Raises:
        PhotosError: another kind of file.
    """
    try:
        content = msgspec.json.decode(path.read_bytes().removeprefix(codecs.BOM_UTF8), type=Annotations)
    except OSError as error:
        raise PhotosError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, RecursionError) as error:
        raise PhotosError(f"{path}: not the annotations of COCO instances ({error})") from error
    categories = {category.id for category in content.categories}
    persons = {category.id for category in content.categories if category.name.strip().lower() == "person"}
    if not persons:
        raise PhotosError(f"{path}: there is no category 'person'")
    named: dict[int, list[Image]] = defaultdict(list)
    for _, image in _entries(data, path, "images", content.images, Image):
        named[image.id].append(image)
    pictured = {}
    for image_id, images in named.items():
        if any(image != images[0] for image in images):
            names = " and ".join(sorted({image.file_name for image in images}))
            data.leave_out(path, f"the id {image_id} stands for different pictures: {names}")
        else:
            pictured[image_id] = _Pictured(images[0])
    for number, annotation in _entries(data, path, "annotations", content.annotations, Annotation, pictured):
        if annotation.image_id not in named:
            data.leave_out(f"{path}, annotations[{number}]", f"there is no picture {annotation.image_id}")
        elif annotation.image_id not in pictured:
            continue
        elif annotation.category_id not in categories:
            data.leave_out(f"{path}, annotations[{number}]", f"there is no category {annotation.category_id}")
            pictured[annotation.image_id].doubt = f"annotations[{number}] is of an unknown category"
        elif annotation.category_id in persons:
            pictured[annotation.image_id].people.append(annotation)
    return pictured


def _entries(
    data: DataSet,
    path: Path,
    name: str,
    entries: list[msgspec.Raw],
    kind: type[Entry],
    pictured: dict[int, _Pictured] | None = None,
) -> Iterator[tuple[int, Entry]]:
    """Yields each readable entry with its place; notes the others, and raises doubts about their pictures."""
    decoder = msgspec.json.Decoder(kind)
    for number, entry in enumerate(entries):
        try:
            yield number, decoder.decode(entry)
        except (msgspec.MsgspecError, RecursionError) as error:
            data.leave_out(f"{path}, {name}[{number}]", str(error))
            with suppress(msgspec.MsgspecError, RecursionError):
                doubtful = (pictured or {}).get(msgspec.json.decode(entry, type=_OfPicture).image_id)
                if doubtful:
                    doubtful.doubt = f"annotations[{number}] can't be read"


def _shown(pictured: _Pictured, picture: Path, data: DataSet) -> tuple[int, tuple[Box, ...] | None]:
    """The label of a picture, and the boxes of its people; None where one of them is not known.

    Raises:
        UnclearError: the annotations don't tell the label.
    """
    if pictured.doubt:
        raise UnclearError(pictured.doubt)
    if not pictured.people:
        return 0, ()
    width, height = pictured.image.width or math.nan, pictured.image.height or math.nan
    if not (0 < width < math.inf and 0 < height < math.inf):
        width, height = own_size(picture)
        data.repair(picture, f"its annotated size is missing or 0; its own, {width:.0f} x {height:.0f} px, is taken")
    areas = [math.nan if person.area is None else person.area for person in pictured.people]
    known = [area for area in areas if 0 <= area < math.inf]
    label = vww_label(known, width, height)
    if not label and len(known) < len(areas):
        raise UnclearError("the area of a person is missing")
    boxes = []
    for person in pictured.people:
        corners = [math.nan if side is None else side for side in person.bbox or ()]
        if len(corners) == 4:
            corners[2:] = corners[0] + corners[2], corners[1] + corners[3]
        try:
            box, repaired = box_between(corners, width, height)
        except BoxError as error:
            # A picture labelled 0 without boxes would count as empty, but a crop may show its small person.
            if not label:
                raise UnclearError(f"a person: {error}") from error
            data.repair(picture, f"a person: {error}; it is taken as a picture whose boxes are not known")
            return label, None
        if repaired:
            data.repair(picture, f"a person: {repaired}")
        boxes.append(box)
    return label, tuple(boxes)
