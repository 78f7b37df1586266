import os
import unicodedata
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clients.commands.names import FORMULA_STARTS, canonical, cell, open_text, shown, uncelled

any_text = st.text(st.characters(), max_size=20)
"""Lone surrogates too."""


@given(any_text)
def test_what_is_shown_moves_nothing_and_is_shown_once(text: str) -> None:
    found = shown(text)
    found.encode()
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(each) for each in found}
    assert shown(found) == found


@given(any_text)
def test_a_cell_is_no_formula_and_is_read_back(text: str) -> None:
    assert uncelled(cell(text)) == text
    assert not cell(text).startswith(FORMULA_STARTS[:-1])


@given(st.binary(max_size=20).filter(lambda name: b"\0" not in name))
def test_any_name_of_a_file_is_kept_in_a_file_of_text(name: bytes) -> None:
    assert os.fsencode(canonical(os.fsdecode(name))) == name


def test_files_keep_names_and_line_ends(tmp_path: Path) -> None:
    text = os.fsdecode(b"a\xff\r\nb\n") + "\u00e9"
    with open_text(tmp_path / "a", "w") as file:
        file.write(text)
    assert (tmp_path / "a").read_bytes() == b"a\xff\r\nb\n\xc3\xa9"
    with open_text(tmp_path / "a") as file:
        assert file.read() == text
