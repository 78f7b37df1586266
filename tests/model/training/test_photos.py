import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.dataset import UNKNOWN
from model.training.photos import Photo, PhotosError, load_frames, read_photos
from tests.model.training.folders import write_index


def test_a_split_in_the_order_of_the_index(tmp_path: Path) -> None:
    write_index(
        tmp_path,
        'b.jpg,train,1,street,"[[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]]"',
        "c.jpg,val,1,street,",
        "a.jpg,train,0,garden,[]",
        "d.jpg,train,,garden,",
        "e.jpg,train,1,garden,",
    )
    photos = read_photos(tmp_path, "train")
    assert photos.photos == (
        Photo(tmp_path / "b.jpg", 1, "street", ((0.1, 0.2, 0.3, 0.4), (0.0, 0.0, 1.0, 1.0))),
        Photo(tmp_path / "a.jpg", 0, "garden", ()),
        Photo(tmp_path / "e.jpg", 1, "garden", None),  # people, but nobody knows where
    )
    assert photos.split == "train"
    assert photos.labels.tolist() == [1, 0, 1]
    assert photos.index_digest == hashlib.sha256((tmp_path / "index.csv").read_bytes()).hexdigest()


def test_a_folder_without_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match=r"index\.csv: no such file"):
        read_photos(tmp_path, "train")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a.jpg,train,2,street,", "the label '2' is not 1 (person), 0 (no person) or empty"),
        ("a.jpg,train,yes,street,", "the label 'yes' is not"),
        (
            "a.jpg,validation,1,street,",
            "the split 'validation' is not one of train, calibration, val, test, unlabelled",
        ),
        ("a.jpg,train,1,street,[[0.1", "person_boxes is not a list"),
        ('a.jpg,train,1,street,"[[0.1, 0.2, 0.3]]"', "person_boxes is not a list"),
        ('a.jpg,train,1,street,"[[0.1, 0.2, 0.3, ""x""]]"', "person_boxes is not a list"),
        ('a.jpg,train,1,street,"[[0.1, 0.2, NaN, 0.3]]"', "not in fractions of the picture"),
        ('a.jpg,train,1,street,"[[12, 30, 50, 80]]"', "not in fractions of the picture"),
        ('a.jpg,train,1,street,"[[0.5, 0.5, -0.2, 0.1]]"', "not in fractions of the picture"),
        ("a.jpg,train,1,street," + "[" * 5000, "person_boxes is not a list"),
        ("a.jpg,train,1,street,7", "person_boxes is not a list"),
        ("a.jpg,train", "fewer fields"),
        ("a.jpg,tr", "fewer fields"),
        ("a, b.jpg,train,1,street,", "more fields than the first line; a comma within a field needs quotes"),
        (",train,1,street,", "it names no file"),
        ("a\0.jpg,train,1,street,", "it names no file"),
    ],
)
def test_one_bad_line_is_left_out_and_named(
    tmp_path: Path, line: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_index(tmp_path, "z.jpg,train,0,street,", line)
    found = read_photos(tmp_path, "train")
    assert [photo.path.name for photo in found.photos] == ["z.jpg"]
    assert found.left_out == 1
    assert "1 of the 1 pictures of the index (train 1); 1 lines can't be used" in found.scope
    [said] = caplog.messages
    assert "index.csv, line 3: left out: " in said
    assert complaint in said


def test_many_bad_lines_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_index(tmp_path, "z.jpg,train,0,street,", *["a.jpg,train"] * 50)
    assert read_photos(tmp_path, "train").left_out == 50
    assert len(caplog.messages) == 21
    assert "50 lines left out in all" in caplog.messages[-1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_index_is_read_however_it_was_saved(tmp_path: Path, encoding: str, end: str) -> None:
    lines = ("File, Split ,LABEL,source,Person_Boxes", "a.jpg,Train, 1.0 ,street,NULL", 'b.jpg,TRAIN,0,street,"[]"')
    (tmp_path / "index.csv").write_bytes(end.join(lines).encode(encoding))
    assert read_photos(tmp_path, "train").photos == (
        Photo(tmp_path / "a.jpg", 1, "street", None),
        Photo(tmp_path / "b.jpg", 0, "street", ()),
    )


@pytest.mark.parametrize("label", ["", "null", "None", "NaN"])
def test_no_label_is_no_label(tmp_path: Path, label: str) -> None:
    write_index(tmp_path, f"a.jpg,unlabelled,{label},street,")
    [photo] = read_photos(tmp_path, "unlabelled", labelled=False).photos
    assert photo.label == UNKNOWN


def test_a_picture_of_which_two_things_are_said_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_index(
        tmp_path,
        "a.jpg,train,1,street,",
        "b.jpg,train,1,street,",
        "./a.jpg,train,0,street,",
        "c.jpg,train,0,street,",
        "c.jpg,val,0,street,",
        "b.jpg,train,1,street,",
    )
    assert [photo.path.name for photo in read_photos(tmp_path, "train").photos] == ["b.jpg"]
    assert len([said for said in caplog.messages if "names it again" in said]) == 2


def test_missing_columns_are_named(tmp_path: Path) -> None:
    write_index(tmp_path, "a.jpg,train,1,", header="file,split,label,person_boxes")
    with pytest.raises(PhotosError, match=r"the columns source are missing; an index has file, split, label, source"):
        read_photos(tmp_path, "train")
    (tmp_path / "index.csv").write_bytes(b"")
    with pytest.raises(PhotosError, match=r"the columns file, split, label, source, person_boxes are missing"):
        read_photos(tmp_path, "train")


def test_no_box_beside_the_label_of_a_person_is_not_nobody(tmp_path: Path) -> None:
    write_index(tmp_path, "a.jpg,train,1,street,[]", "b.jpg,train,0,street,[]")
    assert [photo.boxes for photo in read_photos(tmp_path, "train").photos] == [None, ()]


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_index(tmp_path, "a.jpg,train,1,a,,0", header="file,split,label,source,person_boxes,Label")
    with pytest.raises(PhotosError, match="the column 'label' is there more than once"):
        read_photos(tmp_path, "train")


def test_a_split_without_labels_is_refused(tmp_path: Path) -> None:
    write_index(tmp_path, "a.jpg,unlabelled,,street,")
    for split in ("unlabelled", "train"):
        with pytest.raises(PhotosError, match=f"no labelled picture in the split '{split}'; there is none at all"):
            read_photos(tmp_path, split)
    write_index(tmp_path, "a.jpg,train,1,street,", "b.jpg,test,1,street,", "c.jpg,test,0,street,")
    with pytest.raises(PhotosError, match="in the split 'val'; 1 in 'train', 2 in 'test'"):
        read_photos(tmp_path, "val")


def test_frames_come_in_the_order_of_the_photos(tmp_path: Path) -> None:
    shades = [10, 200, 90]
    for number, shade in enumerate(shades):
        Image.new("RGB", (12 + number, 9), (shade, shade, shade)).save(tmp_path / f"{number}.png")
    write_index(tmp_path, *(f"{number}.png,test,0,made,[]" for number in range(3)))
    frames = load_frames(read_photos(tmp_path, "test"), 5, 7)
    assert frames.shape == (3, 5, 7, 3)
    assert frames.dtype == np.uint8
    assert [set(np.unique(frame)) for frame in frames] == [{shade} for shade in shades]


def test_a_picture_that_is_not_there_is_no_silence(tmp_path: Path) -> None:
    write_index(tmp_path, "absent.jpg,test,0,made,[]")
    with pytest.raises(PhotosError, match=r"absent\.jpg"):
        load_frames(read_photos(tmp_path, "test"), 5, 7)
