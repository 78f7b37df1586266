import pytest

from clients.commands.policy import policy_of


def test_nothing_given_is_left_to_the_default() -> None:
    assert policy_of(None, None, None) is None
    assert policy_of("never", None, None) == {"name": "never"}
    assert policy_of(None, 0.9, None) == {"name": "published", "exit_threshold": 0.9}
    assert policy_of('{"name": "published", "exit_threshold": 0.5}', None, 0.1) == {
        "name": "published", "exit_threshold": 0.5, "skip_threshold": 0.1,
    }  # fmt: skip


@pytest.mark.parametrize("text", ['{"a":1}', "{}", "[]", '{"name": 3}', "{", "[" * 100_000, '{"name": null}'])
def test_json_that_names_no_policy_is_told_in_a_line(text: str) -> None:
    with pytest.raises(ValueError, match="--policy") as mistake:
        policy_of(text, None, None)
    assert "None'" not in str(mistake.value)
    assert len(str(mistake.value)) < 300
