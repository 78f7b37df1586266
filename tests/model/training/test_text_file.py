from pathlib import Path

import pytest

from model.training.text_file import read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "text").write_bytes("fünf\r\n".encode(encoding))
    assert read_text(tmp_path / "text") == "fünf\r\n"


def test_any_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"caf\xe9.jpg")
    assert read_text(tmp_path / "text").encode("utf-8", "surrogateescape") == b"caf\xe9.jpg"
