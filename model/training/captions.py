"""Pictures of MS COCO that come with classes and captions but without boxes, as labelled photographs.

Courses hand them out as a folder `data/`, `train.csv` (ImageID, Labels, Caption; the labels are numbers of classes, 1
is *person*) and `test.csv` (ImageID, Caption). Neither says how large a person is, so a detector is asked too.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from model.picture import Frame, PictureError, read_frame
from model.training.dataset import UNKNOWN, DataSet, IndexRow
from model.training.near_duplicates import most_alike, thumbnails
from model.training.people import SIDE_PX
from model.training.photos import EmptySplitError, PhotosError, read_photos
from model.training.text_file import read_text

FILES: Final = ("train.csv", "test.csv")
PERSON: Final = "1"
PEOPLE: Final = """
adult adults babies baby batter batters bicyclist biker bikers boy boy's boys bride catcher chef child children
couple cowboy crowd crowds cyclist cyclists dad daughter family father female friends girl girl's girls groom
guy guys hand hands he her him his human humans individual individuals jockey kid kids ladies lady male man
man's men men's mom mother motorcyclist officer officers passengers pedestrians people person persons pitcher
player players police rider riders she skateboarder skateboarders skater skaters skier skiers snowboarder
snowboarders soldier soldiers somebody someone son spectators student students surfer surfers swimmer team teen
teenager teenagers their they toddler umpire woman woman's women women's worker workers
"""
"""Words of a caption that tell of people."""

LEAST_SCORE: Final = 0.12
"""A detector's score below which nobody large enough is there."""
MOST_ALIKE: Final = 0.9
"""Correlation of thumbnails above which two pictures count as nearly the same."""
BATCH: Final = 32
PART: Final = 1024

HELD_BACK: Final = ("val", "calibration", "test")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Told:
    """A picture and what its file of lines tells.

    Attributes:
        path: path of the file.
        label: 1 person, 0 no person.
        by_caption: true if only a caption says so.
    """

    path: Path
    label: int
    by_caption: bool

    def label_by(self, score: float) -> int:
        """The label, given a detector's score; -1 where the two do not agree.

        A class is believed if it says *no person*, since people looked for one. *Person* may be one that is too small.
        A caption may leave people out.
        """
        found = score >= LEAST_SCORE
        agrees = found if self.label else not found or not self.by_caption
        return self.label if agrees else UNKNOWN


def read_told(folder: Path) -> list[Told]:
    """Reads what the files of lines tell, in their order; lines without a picture's name are left out.

    Raises:
        PhotosError: no file of lines, or one without the columns.
    """
    there = [folder / name for name in FILES if (folder / name).is_file()]
    if not there:
        raise PhotosError(f"{folder}: neither {' nor '.join(FILES)}; expected files of lines beside a folder data/")
    return [told for file in there for told in _lines(file)]


def _lines(file: Path) -> Iterator[Told]:
    table = csv.DictReader(read_text(file).splitlines(keepends=True))
    columns = set(table.fieldnames or ())
    by_caption, people = "Labels" not in columns, frozenset(PEOPLE.split())
    if not columns >= {"ImageID", "Caption"}:
        raise PhotosError(f"{file}: its columns are {', '.join(sorted(columns))}; expected ImageID, Caption and Labels")
    for row in table:
        name = row["ImageID"] or ""
        if not re.fullmatch(r"[\w-]+\.\w+", name):
            continue
        if by_caption:
            person = not people.isdisjoint(re.findall(r"[a-z']+", (row["Caption"] or "").lower()))
        else:
            person = PERSON in (row["Labels"] or "").split()
        yield Told(file.parent / "data" / name, int(person), by_caption)


def captioned(
    folder: Path,
    photos: Path,
    source: str,
    score: Callable[[Tensor], Tensor],
    store: Path,
    progress: Progress = lambda *_: None,
) -> DataSet:
    """The pictures to learn from, without those that resemble one to be judged by.

    Args:
        folder: folder with `data/` and the files of lines.
        photos: folder of photographs whose splits `val`, `calibration` and `test` are to be judged by.
        source: name of the pictures' source.
        score: gives scores of a person (B,), 0..1, of frames (B, 3, S, S) uint8: `people.PersonScore`.
        store: file for the scores; interrupted work resumes.
        progress: hears how many pictures have a score, of how many.

    Raises:
        PhotosError: no file of lines, no index, none of its pictures is to be judged by, or the file holds no scores.
        PictureError: a picture to be judged by that can't be read.
    """
    told = read_told(folder)
    held = [path for split in HELD_BACK for path in _pictures(photos, split)]
    if not held:
        raise PhotosError(f"{photos}: no picture in {', '.join(HELD_BACK)}; the new ones are compared with these")
    judged_by = thumbnails(held)
    scores = _scores([each.path for each in told], score, store, progress)
    data = DataSet()
    for start in range(0, len(told), PART):
        part = told[start : start + PART]
        readable = [each for each in part if each.path.name in scores]
        alike = most_alike(thumbnails([each.path for each in readable]), judged_by).tolist()
        likeness = dict(zip(readable, alike, strict=True))
        for each in part:
            if each not in likeness:
                data.leave_out(each.path, "it can't be read")
            elif likeness[each] > MOST_ALIKE:
                data.leave_out(each.path, f"it resembles a picture of {', '.join(HELD_BACK)}")
            else:
                label = each.label_by(scores[each.path.name])
                split = "unlabelled" if label == UNKNOWN else "train"
                data.rows.append(IndexRow(each.path, split, label, source, () if label == 0 else None))
    return data


def _pictures(photos: Path, split: str) -> list[Path]:
    try:
        return [photo.path for photo in read_photos(photos, split, labelled=None).photos]
    except EmptySplitError:
        return []


def _scores(
    paths: Sequence[Path], score: Callable[[Tensor], Tensor], store: Path, progress: Progress
) -> Mapping[str, float]:
    """Scores by name, kept in a file of lines; a picture that can't be read has none.

    Raises:
        PhotosError: the file holds something else.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    kept = store.read_text() if store.is_file() else ""
    whole = kept[: kept.rfind("\n") + 1]  # an interruption may have cut the last line short
    try:
        found = {name: float(value) for name, value in (line.split(",") for line in whole.splitlines())}
    except ValueError as error:
        raise PhotosError(f"{store}: not a file of scores ({error}); delete it, or name another folder") from error
    store.write_text(whole)
    missing = [path for path in paths if path.name not in found]
    with store.open("a") as file, ThreadPoolExecutor() as pool:
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            frames = dict(zip(part, pool.map(_frame, part), strict=True))
            readable = {path: frame for path, frame in frames.items() if frame is not None}
            if readable:
                values = score(torch.from_numpy(np.stack(list(readable.values()))).permute(0, 3, 1, 2)).tolist()
                for path, value in zip(readable, values, strict=True):
                    found[path.name] = round(value, 3)
                    file.write(f"{path.name},{value:.3f}\n")
                file.flush()
            progress(len(paths) - len(missing) + start + len(part), len(paths))
    return found


def _frame(path: Path) -> Frame | None:
    try:
        return read_frame(path, SIDE_PX, SIDE_PX)
    except PictureError:
        return None
