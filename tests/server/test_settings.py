import re
from pathlib import Path

import pytest

from server.settings import Settings


def test_lists_are_given_as_the_help_says(monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"Lists are JSON, such as (\[.*\])", Settings.__doc__ or "")
    assert example
    monkeypatch.setenv("RASCANET_SAMPLES", example[1])
    assert Settings().samples == [Path("a.jpg"), Path("b.jpg")]
