from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from clients.commands.main import app
from clients.commands.stream.sensor_options import SCENES
from clients.commands.suggestions import no_such
from model.exit_policy import NAMES
from sensor_sim.profiles import PROFILES
from sensor_sim.sensor import PRESETS

KNOWN = [*PROFILES, *PRESETS, *SCENES, *NAMES]


@given(st.sampled_from(KNOWN), st.data())
def test_a_name_with_one_letter_too_few_is_found(name: str, data: st.DataObject) -> None:
    left_out = data.draw(st.integers(0, len(name) - 1))
    mistyped = name[:left_out] + name[left_out + 1 :]
    assert "; did you mean '" in no_such("name", mistyped, KNOWN)
    assert f"; did you mean {name!r}? There is {name}" in no_such("name", mistyped, [name])


@given(st.text(max_size=200), st.lists(st.sampled_from(KNOWN), min_size=1, unique=True))
def test_every_name_that_there_is_is_told_in_one_bounded_line(name: str, known: list[str]) -> None:
    said = no_such("name", name, known)
    assert said.endswith(f"here is {', '.join(known)}")
    assert len(said.splitlines()) == 1
    assert len(said) < 600 + len(", ".join(known))


@pytest.mark.parametrize(
    ("command", "nearest"),
    [
        (("record", "--scene", "stret", "--out", "OUT"), "street"),
        (("record", "--scene", "street", "--preset", "nigth", "--out", "OUT"), "night"),
        (("record", "--scene", "street", "--profile", "hm01b0-qgva", "--out", "OUT"), "hm01b0-qvga"),
        (("classify", "FOLDER", "--policy", "calibratd"), "calibrated"),
        (("classify", "FOLDER", "--policy", '{"name": "two_side"}'), "two_sided"),
        (("classify", "FOLDER", "--format", "ndjsn"), "ndjson"),
        (("classify", "FOLDER", "--engine", "rai"), "ray"),
        (("evaluate", "--photos", "FOLDER", "--variant", "105x102"), "105x120"),
        (("bench", "sustian"), "sustain"),
        (("bench", "step", "--variant", "201x240"), "210x240"),
    ],
)
def test_a_mistyped_value_is_answered_with_the_nearest(tmp_path: Path, command: tuple[str, ...], nearest: str) -> None:
    out = tmp_path / "out"
    places = {"OUT": str(out), "FOLDER": str(tmp_path)}
    result = CliRunner().invoke(app, [places.get(word, word) for word in command])
    assert result.exit_code == 2, result.output
    assert f"did you mean {nearest!r}?" in result.stderr
    assert not out.exists()
