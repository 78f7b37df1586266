"""The generated files are what their generators write today."""

import json

from tests.vectors import make_page_facts, make_presence, make_resize


def test_resize_vectors_are_pillows() -> None:
    assert json.loads(make_resize.FILE.read_text()) == make_resize.vectors()


def test_the_page_knows_the_sensors_and_the_work() -> None:
    assert json.loads(make_page_facts.FILE.read_text()) == make_page_facts.facts()


def test_presence_vectors_are_what_python_says() -> None:
    assert json.loads(make_presence.FILE.read_text()) == make_presence.vectors()
