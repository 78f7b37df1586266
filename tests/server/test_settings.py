import re
from pathlib import Path

import pytest

from server.settings import Settings


def test_lists_are_given_as_the_help_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    example = re.search(r"Lists are JSON, such as (\[.*\])", Settings.__doc__ or "")
    assert example
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        Path(name).write_bytes(b"a picture")
    monkeypatch.setenv("RASCANET_SAMPLES", example[1])
    assert Settings().samples == [Path("a.jpg"), Path("b.jpg")]
