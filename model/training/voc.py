"""Pascal VOC (Everingham et al. 2010), whose annotations are XML, as labelled photographs."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from model.picture import SUFFIXES
from model.training.augment import label_of_crop
from model.training.dataset import Box, BoxError, DataSet, IndexRow, UnclearError, box_between, own_size
from model.training.photos import PhotosError
from model.training.splits import split_by_name
from model.training.text_file import read_text

WHOLE: Final[Box] = (0.0, 0.0, 1.0, 1.0)
PERSON: Final = "person"
NAMED_SPLITS: Final = ("train", "val", "test")


def read_voc(folder: Path, val_share: float = 0.1, calibration_share: float = 0.1) -> DataSet:
    """Reads the pictures of a `VOC2007` or `VOC2012` folder; label 1 where a person's box covers 0.5 % or more.

    `ImageSets/Main/train.txt`, `val.txt` and `test.txt` give the splits of the pictures that they name; a part of
    `train` is kept for calibration. Other splits are drawn by name. An annotation names its picture; if that file is
    missing, the picture with the annotation's own name is taken.

    Args:
        folder: the folder with `Annotations/` and `JPEGImages/`.
        val_share, calibration_share: shares of the drawn pictures for these splits, 0..1.

    Raises:
        PhotosError: there are no annotations.
    """
    data, annotations = DataSet(), folder / "Annotations"
    paths = sorted(annotations.iterdir()) if annotations.is_dir() else []
    found = [path for path in paths if path.suffix.lower() == ".xml"]
    if not found:
        raise PhotosError(f"{folder}: no Annotations/*.xml; expected a folder like VOCdevkit/VOC2012")
    named = _named_splits(folder / "ImageSets" / "Main", {path.stem for path in found}, data)
    pictures = _Pictures.of(folder / "JPEGImages")
    for path in found:
        splits = named.get(path.stem, set())
        if len(splits) > 1:
            data.leave_out(path, f"ImageSets/Main names it in {' and '.join(sorted(splits))}")
            continue
        try:
            picture, boxes = _annotated(path, pictures, data)
        except UnclearError as error:
            data.leave_out(path, str(error))
            continue
        split = next(iter(splits), "")
        data.drawn += not split
        if split in ("", "train"):
            split = split_by_name(path.stem, 0.0 if split else val_share, calibration_share)
        data.rows.append(IndexRow(picture, split, label_of_crop(boxes, WHOLE), "voc", boxes))
    return data


def _named_splits(folder: Path, stems: set[str], data: DataSet) -> dict[str, set[str]]:
    """The splits that the lists of a folder give, by the stem of the annotation."""
    named: dict[str, set[str]] = {}
    for split in NAMED_SPLITS:
        file = folder / f"{split}.txt"
        if not file.is_file():
            continue
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            whole, first = line.strip(), line.split(maxsplit=1)[0] if line.strip() else ""
            names = [name for entry in (whole, first) for name in (entry, _stem(entry)) if name in stems]
            if names:
                named.setdefault(names[0], set()).add(split)
            elif whole:
                data.leave_out(f"{file}, line {number}", f"there is no annotation of {first!r}")
    return named


def _stem(name: str) -> str:
    """A file's name without the ending of a picture."""
    return Path(name).stem if name.lower().endswith(SUFFIXES) else name


@dataclass(frozen=True, slots=True)
class _Pictures:
    """The pictures of a folder, by names and by stems in small letters."""

    folder: Path
    names: dict[str, list[Path]]
    stems: dict[str, list[Path]]

    @classmethod
    def of(cls, folder: Path) -> "_Pictures":
        pictures = cls(folder, {}, {})
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in SUFFIXES:
                pictures.names.setdefault(path.name.lower(), []).append(path)
                pictures.stems.setdefault(path.stem.lower(), []).append(path)
        return pictures

    def find(self, name: str, stem: str) -> Path:
        """The picture of an annotation, by its `filename` or, if no picture has that name, by its stem."""
        name = name.strip().replace("\\", "/").rpartition("/")[2]
        for found, exact in (
            (self.names.get(name.lower(), []), name),
            (self.stems.get(_stem(name).lower(), []) if name else [], _stem(name)),
            (self.stems.get(stem.lower(), []), stem),
        ):
            same = [path for path in found if exact in (path.name, path.stem)]
            if len(found) == 1 or len(same) == 1:
                return (same or found)[0]
            if found:
                places = ", ".join(path.name for path in found)
                raise UnclearError(f"it may be of any of the pictures {places}")
        raise UnclearError(f"{self.folder.name} has no picture {name or stem!r}")


def _annotated(path: Path, pictures: _Pictures, data: DataSet) -> tuple[Path, tuple[Box, ...]]:
    """The picture of an annotation and the people in it.

    Raises:
        UnclearError: the annotation names no picture, or a person without a usable box.
    """
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 - expat does not expand external entities
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise UnclearError(f"not an annotation of Pascal VOC ({error})") from error
    if root.tag.lower() != "annotation":
        raise UnclearError(f"not an annotation of Pascal VOC, but <{root.tag}>")
    if not len(root):
        raise UnclearError("it says nothing")
    picture = pictures.find(root.findtext("filename") or "", path.stem)
    people = []
    for number, found in enumerate(root.iterfind("object"), start=1):
        names = {(name.text or "").strip().lower() for name in found.iterfind("name")} or {""}
        if names == {""}:
            raise UnclearError(f"object {number} has no name")
        if len(names) > 1:
            raise UnclearError(f"object {number} has the names {', '.join(sorted(names))}")
        if names == {PERSON}:
            people.append((number, found))
    if sum((text or "").strip().lower() == PERSON for text in _texts(root)) > len(people):
        raise UnclearError("it says 'person' elsewhere than in the name of an object")
    if not people:
        return picture, ()
    width, height = (_number(root.findtext(f"size/{side}")) for side in ("width", "height"))
    if not (width > 0 and height > 0):
        width, height = own_size(picture)
        data.repair(path, f"its size is not given; that of {picture.name}, {width:.0f} x {height:.0f} px, is taken")
    return picture, tuple(_boxes(path, people, (width, height), data))


def _boxes(
    path: Path, people: Iterable[tuple[int, ElementTree.Element]], size: tuple[float, float], data: DataSet
) -> Iterator[Box]:
    """Yields the people's boxes; notes repairs.

    Raises:
        UnclearError: a person without a usable box.
    """
    for number, found in people:
        corners = [_number(found.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
        try:
            box, repaired = box_between(corners, *size, counted_from_one=True)
        except BoxError as error:
            raise UnclearError(f"object {number}, a person: {error}") from error
        if repaired:
            data.repair(path, f"object {number}, a person: {repaired}")
        yield box


def _texts(root: ElementTree.Element) -> Iterator[str | None]:
    """Every text and attribute of an annotation, but for where its picture is from."""
    for found in root.iter():
        if str(found.tag).lower() not in ("filename", "folder", "path", "pose"):
            yield found.text
            yield from found.attrib.values()


def _number(text: str | None) -> float:
    """The number in a text; NaN where there is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
