from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.dataset import DataSet, IndexRow
from model.training.photos import PhotosError
from model.training.voc import read_voc


def _save(path: Path, size: tuple[int, int] = (100, 80)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(path)


def _object(box: object = (11, 21, 50, 60), name: str = "person") -> str:
    if not isinstance(box, tuple):
        return f"<object><name>{name}</name>{box or ''}</object>"
    sides = "".join(
        f"<{side}>{value}</{side}>" for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name><bndbox>{sides}</bndbox></object>"


ELSEWHERE = "it says 'person' elsewhere than in the name of an object"
SIZE = "<size><width>100</width><height>80</height></size>"


def _annotate(folder: Path, name: str, *objects: str, size: str = SIZE, picture: str = "", filename: str = "") -> Path:
    _save(folder / "JPEGImages" / (picture or f"{name}.jpg"))
    path = folder / "Annotations" / f"{name}.xml"
    path.parent.mkdir(exist_ok=True)
    named = f"<filename>{filename}</filename>" if filename else ""
    path.write_text(f"<annotation>{named}{size}{''.join(objects)}</annotation>")
    return path


def _split(folder: Path, split: str, content: str, encoding: str = "utf-8") -> None:
    main = folder / "ImageSets" / "Main"
    main.mkdir(parents=True, exist_ok=True)
    (main / f"{split}.txt").write_bytes(content.encode(encoding))


def _rows(data: DataSet) -> dict[str, IndexRow]:
    return {row.path.name: row for row in data.rows}


def test_labels_by_boxes_and_the_data_sets_own_splits(tmp_path: Path) -> None:
    _annotate(tmp_path, "empty", _object((1, 1, 100, 80), "dog"))
    _annotate(tmp_path, "just", _object((11, 21, 18, 26)))  # 8 x 6 px of 8,000: 0.6 %
    _annotate(tmp_path, "small", _object((11, 21, 17, 25)))
    _split(tmp_path, "val", "just\n")
    _split(tmp_path, "test", "small -1\n")
    data = read_voc(tmp_path, calibration_share=0.0, val_share=0.0)
    assert {name: (row.split, row.label) for name, row in _rows(data).items()} == {
        "empty.jpg": ("train", 0),
        "just.jpg": ("val", 1),
        "small.jpg": ("test", 0),
    }
    [box] = _rows(data)["just.jpg"].boxes or ()
    assert box == pytest.approx((0.1, 0.25, 0.08, 0.075))
    assert not data.remarks
    assert data.drawn == 1


@pytest.mark.parametrize(
    ("picture", "filename"),
    [
        ("a.png", "a.jpg"),
        ("a.JPG", "a.jpg"),
        ("a.JPG", ""),
        ("a.jpeg", "a"),
        ("A.WebP", "C:\\pictures\\a.webp"),
        ("other.jpg", "other.jpg"),
        ("other.png", "other"),
    ],
)
def test_the_picture_of_an_annotation_is_found(tmp_path: Path, picture: str, filename: str) -> None:
    _annotate(tmp_path, "a", _object(), picture=picture, filename=filename)
    data = read_voc(tmp_path)
    assert [(row.path.name, row.label) for row in data.rows] == [(picture, 1)]
    assert not data.remarks


def test_of_several_pictures_the_annotation_says_which(tmp_path: Path) -> None:
    _annotate(tmp_path, "a", _object(), filename="a.png")
    _annotate(tmp_path, "b", _object())
    for name in ("a.png", "b.png"):
        _save(tmp_path / "JPEGImages" / name)
    data = read_voc(tmp_path)
    assert list(_rows(data)) == ["a.png"]
    [remark] = data.remarks
    assert str(remark).endswith("b.xml: left out: it may be of any of the pictures b.jpg, b.png")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_of_a_split_is_read_however_it_was_saved(tmp_path: Path, encoding: str, end: str) -> None:
    for name in ("a", "my photo", "c"):
        _annotate(tmp_path, name)
    _split(tmp_path, "val", end.join(("a.jpg", "my photo", "gone", "")), encoding)
    data = read_voc(tmp_path, val_share=0, calibration_share=0)
    assert {name: row.split for name, row in _rows(data).items()} == {
        "a.jpg": "val",
        "my photo.jpg": "val",
        "c.jpg": "train",
    }
    [remark] = data.remarks
    assert str(remark).endswith("val.txt, line 3: left out: there is no annotation of 'gone'")


def test_a_picture_of_two_splits_has_none(tmp_path: Path) -> None:
    _annotate(tmp_path, "a")
    _annotate(tmp_path, "b")
    for split in ("train", "val"):
        _split(tmp_path, split, "a\n")
    data = read_voc(tmp_path)
    assert list(_rows(data)) == ["b.jpg"]
    assert "names it in train and val" in str(data.remarks[0])


@pytest.mark.parametrize(
    ("objects", "size", "label", "repaired"),
    [
        ([_object((60, 70, 10, 10))], SIZE, 1, "object 1, a person: its box has swapped corners"),
        ([_object((10, 10, 200, 60))], SIZE, 1, "object 1, a person: its box is cut to the picture"),
        ([_object(name=" Person ")], SIZE, 1, ""),
        ([_object(name="PERSON")], SIZE, 1, ""),
        ([_object((1.5, 2.5, 60.25, 70.75))], SIZE, 1, ""),
        ([_object()], "<size><width>0</width><height>0</height></size>", 1, "100 x 80 px, is taken"),
        ([_object()], "<size><width/><height>null</height></size>", 1, "100 x 80 px, is taken"),
        ([_object()], "", 1, "100 x 80 px, is taken"),
        ([_object(None, "dog")], SIZE, 0, ""),
        ([], SIZE, 0, ""),
    ],
)
def test_what_is_usable_is_used_and_repairs_are_told(
    tmp_path: Path, objects: list[str], size: str, label: int, repaired: str
) -> None:
    _annotate(tmp_path, "a", *objects, size=size)
    data = read_voc(tmp_path)
    assert [row.label for row in data.rows] == [label]
    assert [remark.what for remark in data.remarks] == (["repaired"] if repaired else [])
    assert all(repaired in str(remark) and "a.xml" in remark.file for remark in data.remarks)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("<annotation>", "not an annotation of Pascal VOC"),
        ("<annotation/>", "it says nothing"),
        ("<html/>", "not an annotation of Pascal VOC, but <html>"),
        ("", "not an annotation of Pascal VOC"),
        ("<?xml version='1.0' encoding='nonsense'?><annotation/>", "not an annotation of Pascal VOC"),
        (f"<annotation>{SIZE}{_object(None)}</annotation>", "object 1, a person: its box is not four numbers"),
        (f"<annotation>{SIZE}{_object((1, 2, 'nan', 4))}</annotation>", "its box is not four numbers"),
        (f"<annotation>{SIZE}{_object((1, 2, '', 4))}</annotation>", "its box is not four numbers"),
        (f"<annotation>{SIZE}{_object((500, 2, 600, 4))}</annotation>", "no area within the picture"),
        (f"<annotation>{SIZE}{_object(name='')}</annotation>", "object 1 has no name"),
        (f"<annotation><filename>z.jpg</filename>{SIZE}</annotation>", ""),
        (f"<annotation>{SIZE}<objects>{_object()}</objects></annotation>", ELSEWHERE),
        (f"<annotation>{SIZE}{_object().replace('object', 'Object')}</annotation>", ELSEWHERE),
        (f"<annotation>{SIZE}{_object().replace('object', 'item')}</annotation>", ELSEWHERE),
        (
            f"<annotation>{SIZE}{_object(name='dog')}<object name='person'><name>cat</name></object></annotation>",
            ELSEWHERE,
        ),
        (
            f"<annotation>{SIZE}<object><name>dog</name><part><name>Person</name></part></object></annotation>",
            ELSEWHERE,
        ),
        (
            f"<annotation>{SIZE}<object><name>dog</name><name>person</name></object></annotation>",
            "the names dog, person",
        ),
        ("<annotation>" + "<object>" * 50_000 + "</object>" * 50_000 + "</annotation>", "has no name"),
    ],
    ids=range(18),
)
def test_one_bad_annotation_is_left_out_and_named(tmp_path: Path, content: str, complaint: str) -> None:
    _annotate(tmp_path, "good", _object())
    _annotate(tmp_path, "bad").write_text(content)
    data = read_voc(tmp_path)
    assert _rows(data)["good.jpg"].label == 1
    if complaint:
        [remark] = data.remarks
        assert remark.what == "left out"
        assert "bad.xml" in remark.file
        assert complaint in remark.reason
        assert len(data.rows) == 1


def test_annotations_without_pictures_are_named(tmp_path: Path) -> None:
    _annotate(tmp_path, "a", _object())
    (tmp_path / "JPEGImages" / "a.jpg").unlink()
    data = read_voc(tmp_path)
    assert not data.rows
    assert "JPEGImages has no picture 'a'" in str(data.remarks[0])


def test_a_folder_without_annotations(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(PhotosError, match=r"no Annotations/\*\.xml"):
            read_voc(folder)


def test_capitals_and_a_byte_order_mark_of_an_annotation(tmp_path: Path) -> None:
    path = _annotate(tmp_path, "a", _object())
    path.with_suffix(".XML").write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"><", b">\r\n<"))
    path.unlink()
    assert [row.label for row in read_voc(tmp_path).rows] == [1]
