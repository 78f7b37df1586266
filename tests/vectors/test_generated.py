"""The generated files are what their generators write today."""

import json

from sensor_sim.wire import TYPES
from tests.vectors import (
    make_exit_lines,
    make_facts,
    make_presence,
    make_protocol,
    make_raw_rows,
    make_resize,
    make_scans,
    make_weight_files,
    make_window,
)


def test_resize_vectors_are_pillows() -> None:
    assert json.loads(make_resize.FILE.read_text()) == make_resize.vectors()


def test_windows_are_what_python_says() -> None:
    assert json.loads(make_window.FILE.read_text()) == json.loads(json.dumps(make_window.vectors()))


def test_the_package_knows_the_sensors_and_the_work() -> None:
    assert make_facts.FILE.read_text() == make_facts.text()


def test_presence_vectors_are_what_python_says() -> None:
    assert json.loads(make_presence.FILE.read_text()) == make_presence.vectors()


def test_the_protocols_tables_are_the_codes() -> None:
    text = make_protocol.FILE.read_text()
    assert text == make_protocol.page(text), "write it anew with `make vectors`"


def test_the_table_of_weights_is_of_the_files() -> None:
    text = make_weight_files.FILE.read_text()
    assert text == make_weight_files.page(text), "write it anew with `make vectors`"


def test_every_field_of_a_message_says_its_meaning_and_no_other() -> None:
    for kind in TYPES.values():
        assert list(make_protocol.meanings_of(kind)) == list(kind.__struct_fields__)


def test_exit_lines_are_the_policies() -> None:
    assert json.loads(make_exit_lines.FILE.read_text()) == make_exit_lines.vectors()


def test_scans_are_what_the_policies_say() -> None:
    assert json.loads(make_scans.FILE.read_text()) == json.loads(json.dumps(make_scans.vectors()))


def test_raw_rows_are_what_the_service_makes_of_them() -> None:
    assert json.loads(make_raw_rows.FILE.read_text()) == make_raw_rows.vectors()
