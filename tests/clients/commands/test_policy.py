import pytest

from clients.commands.policy import note_on, policy_of


def test_nothing_given_is_left_to_the_default() -> None:
    assert policy_of(None, None, None) is None
    assert policy_of("never", None, None) == {"name": "never"}
    assert policy_of(None, 0.9, None) == {"name": "published", "exit_threshold": 0.9}
    assert policy_of('{"name": "published", "exit_threshold": 0.5}', None, 0.1) == {
        "name": "published", "exit_threshold": 0.5, "skip_threshold": 0.1,
    }  # fmt: skip


def test_a_name_that_no_policy_has_is_refused_before_anything_is_sent() -> None:
    for text in ("calibratd", '{"name": "calibratd"}'):
        with pytest.raises(ValueError, match="did you mean 'calibrated'"):
            policy_of(text, None, None)


@pytest.mark.parametrize(("thresholds", "explained"), [((1.0, 0.7), False), ((0.7, 1.0001), True), ((), False)])
def test_thresholds_above_1_are_explained(thresholds: tuple[float, ...], explained: bool) -> None:
    assert ("no frame exits" in note_on(thresholds)) == explained


@pytest.mark.parametrize("text", ['{"a":1}', "{}", "[]", '{"name": 3}', "{", "[" * 100_000, '{"name": null}'])
def test_json_that_names_no_policy_is_told_in_a_line(text: str) -> None:
    with pytest.raises(ValueError, match="--policy") as mistake:
        policy_of(text, None, None)
    assert "None'" not in str(mistake.value)
    assert len(str(mistake.value)) < 300
