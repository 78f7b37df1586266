"""Pictures of MS COCO that come with classes and captions but without boxes, as labelled photographs.

Courses hand them out as a folder `data/`, `train.csv` (ImageID, Labels, Caption; the labels are numbers of classes, 1
is *person*) and `test.csv` (ImageID, Caption). Neither says how large a person is, so a detector is asked too.
"""

import csv
import io
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
from model.training.photos import PhotosError, read_index
from model.training.text_file import read_text

FILES: Final = {"train.csv": ("ImageID", "Labels", "Caption"), "test.csv": ("ImageID", "Caption")}
"""The files of lines, and their columns."""
CLASSES: Final = re.compile(r"\d+( \d+)*")
PERSON: Final = "1"
_PEOPLE: Final = """
adult adults babies baby batter batters bicyclist biker bikers boy boys bride catcher chef child children couple cowboy
crowd crowds cyclist cyclists dad daughter family father female friends girl girls groom guy guys hand hands he her him
his human humans individual individuals jockey kid kids ladies lady male man men mom mother motorcyclist officer
officers passengers pedestrians people person persons pitcher player players police rider riders she skateboarder
skateboarders skater skaters skier skiers snowboarder snowboarders soldier soldiers somebody someone son spectators
student students surfer surfers swimmer team teen teenager teenagers their they toddler umpire woman women worker
workers
"""
PEOPLE: Final = frozenset(_PEOPLE.split())
"""Words of a caption that tell of people; *a couple of* may be of anything."""

LEAST_SCORE: Final = 0.12
"""A detector's score below which nobody large enough is there."""
MOST_ALIKE: Final = 0.9
"""Correlation of thumbnails above which two pictures count as nearly the same."""
BATCH: Final = 32

HELD_BACK: Final = ("val", "calibration", "test")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Told:
    """A picture and what its line tells.

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


def read_told(folder: Path, data: DataSet) -> list[Told]:
    """Reads what the files of lines tell, in their order; notes lines that can't be used in `data`.

    Raises:
        PhotosError: no file of lines, or one without its columns.
    """
    there = [folder / name for name in FILES if (folder / name).is_file()]
    if not there:
        raise PhotosError(f"{folder}: neither {' nor '.join(FILES)}; expected files of lines beside a folder data/")
    return [told for file in there for told in _lines(file, data)]


def _lines(file: Path, data: DataSet) -> Iterator[Told]:
    table = csv.DictReader(io.StringIO(read_text(file), newline=""))
    try:
        columns = table.fieldnames or ()
        missing = [name for name in FILES[file.name] if name not in columns]
        if missing:
            raise PhotosError(f"{file}: no column {', '.join(missing)}; its columns are {', '.join(columns) or 'none'}")
        by_caption = "Labels" not in columns
        for row in table:
            name = (row["ImageID"] or "").strip()
            if not name or Path(name).name != name:
                data.leave_out(
                    f"{file}, line {table.line_num}", f"its ImageID is not the name of a file: {name[:40]!r}"
                )
            elif by_caption:
                yield Told(file.parent / "data" / name, _label_in_words(row["Caption"] or ""), by_caption)
            elif CLASSES.fullmatch(classes := (row["Labels"] or "").strip()):
                yield Told(file.parent / "data" / name, int(PERSON in classes.split()), by_caption)
            else:
                data.leave_out(
                    f"{file}, line {table.line_num}", f"its Labels are {classes[:40]!r}; expected numbers, as in '1 19'"
                )
    except csv.Error as error:
        raise PhotosError(f"{file}, line {table.line_num}: {error}; is there a quote that does not end?") from error


def _label_in_words(caption: str) -> int:
    return int(not PEOPLE.isdisjoint(re.findall(r"[a-z]+", re.sub(r"couples? of", "", caption.lower()))))


def captioned(
    folder: Path,
    photos: Path,
    source: str,
    score: Callable[[Tensor], Tensor],
    store: Path,
    progress: Progress = lambda *_: None,
) -> DataSet:
    """The pictures of an index and new ones to learn from, without those that resemble one to be judged by.

    Args:
        folder: folder with `data/` and the files of lines.
        photos: folder of photographs whose splits `val`, `calibration` and `test` are to be judged by.
        source: name of the new pictures' source.
        score: gives scores of a person (B,), 0..1, of frames (B, 3, S, S) uint8: `people.PersonScore`.
        store: file for the scores; interrupted work resumes.
        progress: hears how many pictures have a score, of how many.

    Raises:
        PhotosError: no file of lines, no index, none of its pictures can be judged by, or the store holds something
            else.
    """
    data = read_index(photos)
    held = [row.path for row in data.rows if row.split in HELD_BACK]
    if not held:
        raise PhotosError(f"{photos}: no picture in {', '.join(HELD_BACK)}; the new ones are compared with these")
    judged_by, faults = thumbnails(held)
    if any(faults):
        raise PhotosError(f"{max(faults)}; new pictures are compared with it: mend it, or take it out of the index")
    told = read_told(folder, data)
    scores = _scores(folder, [each.path for each in told], score, store, progress)
    small, faults = thumbnails([each.path for each in told])
    for each, likeness, fault in zip(told, most_alike(small, judged_by).tolist(), faults, strict=True):
        if fault:
            data.leave_out(each.path, fault)
        elif likeness > MOST_ALIKE:
            data.leave_out(each.path, f"it resembles a picture of {', '.join(HELD_BACK)}")
        else:
            label = each.label_by(scores[each.path.name])
            split = "unlabelled" if label == UNKNOWN else "train"
            data.rows.append(IndexRow(each.path, split, label, source, () if label == 0 else None))
    return data


def _scores(
    folder: Path, paths: Sequence[Path], score: Callable[[Tensor], Tensor], store: Path, progress: Progress
) -> Mapping[str, float]:
    """Scores by name, kept in a file of lines; a picture that can't be read has none.

    Raises:
        PhotosError: the file holds something else.
    """
    found = _kept_scores(folder, store)
    missing = [path for path in dict.fromkeys(paths) if path.name not in found]
    with store.open("a", encoding="utf-8", errors="surrogateescape") as file, ThreadPoolExecutor() as pool:
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


def _kept_scores(folder: Path, store: Path) -> dict[str, float]:
    """The scores of a file whose first line names the folder; makes the file if there is none."""
    title = f"scores of {folder.resolve()}"
    if not store.is_file():
        store.parent.mkdir(parents=True, exist_ok=True)
        store.write_text(f"{title}\n", encoding="utf-8", errors="surrogateescape")
    with store.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        first, *lines = content[:whole].decode("utf-8", "surrogateescape").split("\n")
        try:
            if first != title:
                raise ValueError(f"its first line is {first[:80]!r}, not {title!r}")
            found = {name: float(value) for name, value in (line.rsplit(",", 1) for line in lines[:-1])}
        except ValueError as error:
            raise PhotosError(f"{store}: {error}; delete it, or name another folder") from error
        file.truncate(whole)  # an interruption may have cut the last line short
    return found


def _frame(path: Path) -> Frame | None:
    try:
        return read_frame(path, SIDE_PX, SIDE_PX)
    except PictureError:
        return None
