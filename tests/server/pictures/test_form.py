import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import ServiceError
from server.pictures.form import FormReader, Upload

KIND = 'multipart/form-data; boundary="b"'


def _read(*pieces: bytes, kind: str = KIND) -> tuple[list[Upload], dict[str, str]]:
    reader = FormReader(kind, {"policy", "top"}, 2, 100)
    for piece in pieces:
        reader.take(piece)
    return reader.finish()


def _part(disposition: str, content: bytes = b"\xff", more: str = "") -> bytes:
    return f"--b\r\nContent-Disposition: {disposition}\r\n{more}\r\n".encode() + content + b"\r\n"


END = b"--b--\r\n"


NAMES = st.text(st.characters(exclude_characters='"\\\r\n\0', codec="utf-8"))


@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=99)), min_size=1, max_size=2),
    st.lists(st.integers(0, 400), max_size=5),
)
def test_a_form_is_read_however_it_is_cut(files: list[tuple[str, bytes]], cuts: list[int]) -> None:
    files = [(name, content.replace(b"\r\n--b", b"")) for name, content in files]
    parts = [_part(f'form-data; name="files"; filename="{name}"', content) for name, content in files]
    body = b"".join(parts) + _part('form-data; name="top"', b"3") + END
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in itertools.pairwise(places)]
    uploads, fields = _read(*pieces)
    assert [(upload.name, upload.content) for upload in uploads] == files
    assert fields == {"top": "3"}


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('form-data; name="files"', ""),
        ("form-data; name=files; filename=a.jpg", "a.jpg"),
        ("form-data; name=\"files\"; filename*=UTF-8''%e2%82%ac%20a.jpg", "€ a.jpg"),
        ("form-data; name=\"files\"; filename*=iso-8859-1'en'%a3.jpg", "£.jpg"),
        ('form-data; name="files"; filename="old.jpg"; filename*=utf-8\'\'new.jpg', "new.jpg"),
        ("form-data; name=\"files\"; filename*=utf-7''+2AA-.jpg", ""),
        ('form-data; name="files"; filename="ü.jpg"', "ü.jpg"),
    ],
)
def test_forms_of_other_clients(disposition: str, name: str) -> None:
    uploads, _ = _read(_part(disposition), END)
    assert [(upload.name, upload.content) for upload in uploads] == [(name, b"\xff")]


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape", "raw_unicode_escape", "utf-16", "nonsense"])
def test_no_charset_makes_a_name_that_can_not_be_written(charset: str) -> None:
    body = _part(
        'form-data; name="files"; filename="\\ud800+2AA-.jpg"', more=f"Content-Type: image/png; charset={charset}\r\n"
    )
    [upload] = _read(body, END, kind=f"{KIND}; charset={charset}")[0]
    upload.name.encode()


@pytest.mark.parametrize(
    ("body", "code", "complaint"),
    [
        (b"nonsense", "bad_request", "can't be read"),
        (END, "no_images", "no picture in the field 'files'"),
        (_part('form-data; name="files"'), "bad_request", "cut off before its last boundary"),
        (b"", "bad_request", "cut off before its last boundary"),
        (_part("form-data") + END, "bad_request", "has no name"),
        (b"--b\r\n\r\nx\r\n" + END, "bad_request", "has no name"),
        (_part('form-data; name="file"; filename="a"') + END, "bad_request", "belong in the field 'files', not 'file'"),
        (_part('form-data; name="files"; filename="a"') * 3 + END, "too_many_images", "at most 2 pictures"),
        (_part('form-data; name="files"', b"photo.jpg") + END, "bad_request", "'photo.jpg', not a file; .*files=@NAME"),
        (_part('form-data; name="topp"') + END, "bad_option", "no option 'topp'; there is policy, top"),
        (_part('form-data; name="top"') * 2 + END, "bad_option", "'top' came twice"),
        (_part('form-data; name="policy"', b"x" * 5000) + END, "bad_request", "more than 4096 bytes"),
        (b"--b\r\nContent-Disposition: " + b"x" * 9000 + b"\r\n", "bad_request", "can't be read"),
        (b"--b\r\n" + b"a: b\r\n" * 50, "bad_request", "can't be read"),
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes, code: str, complaint: str) -> None:
    with pytest.raises(ServiceError, match=complaint) as refused:
        _read(body)
    assert refused.value.code == code


@pytest.mark.parametrize("parameters", ["", "; boundary=", f"; boundary={'b' * 300}"])
def test_a_form_has_a_boundary(parameters: str) -> None:
    with pytest.raises(ServiceError, match="must name its boundary") as refused:
        _read(b"", kind="multipart/form-data" + parameters)
    assert refused.value.code == "bad_request"


def test_of_a_picture_that_is_too_large_a_byte_more_is_kept() -> None:
    [upload] = _read(_part('form-data; name="files"', bytes(5000)), END)[0]
    assert len(upload.content) == 101


@given(st.binary(max_size=200), st.text(st.characters(codec="latin-1"), max_size=30))
def test_whatever_comes_is_a_form_or_refused(body: bytes, kind: str) -> None:
    for content_type in (KIND, kind, f"multipart/form-data; boundary={kind}"):
        try:
            _read(b"--b\r\nContent-Disposition: " + body, kind=content_type)
        except ServiceError as error:
            assert error.http_status < 500  # noqa: PT017 - or it is one
