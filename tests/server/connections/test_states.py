import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connections.http_connection import TURN_S
from server.connections.places import RESERVE
from server.connections.request_head import HEAD_BYTES, HEAD_LINES
from server.connections.states import LINGER_S, RULES, End, Life, State
from server.process.logs import BURST_LINES, LINES_A_SECOND, QUEUED_LINES
from server.process.workers import HANGS_S, LONGEST_S
from server.settings import Settings

SETTINGS = Settings(handshake_s=3, request_s=20, keep_alive_s=40, send_s=5, min_bytes_per_s=100)


def test_every_state_has_a_rule() -> None:
    assert set(RULES) == set(State)


@pytest.mark.parametrize("state", State)
def test_a_connection_that_does_nothing_leaves_every_state(state: State) -> None:
    """Whatever its clock reads when it begins; not a moment before its time."""
    rule = RULES[state]
    seconds = min(rule.most_s(SETTINGS), SETTINGS.send_s if rule.paced else float("inf"))
    assert seconds < float("inf")
    life = Life(SETTINGS, state, 1000.0)
    assert life.end(1000.0 + seconds - 0.01) is None
    assert life.end(1000.0 + seconds) is rule.end


@given(st.sampled_from([State.IN_BODY, State.UNREAD]), st.integers(0, 2000), st.integers(1, 30))
def test_a_pace_is_kept_over_every_window(state: State, size_bytes: int, windows: int) -> None:
    life = Life(SETTINGS, state, 0.0)
    expected = None
    for window in range(1, windows + 1):
        life.moved(size_bytes)
        now = window * SETTINGS.send_s
        late = now >= RULES[state].most_s(SETTINGS)
        expected = RULES[state].end if size_bytes < 500 or late else None
        assert life.end(now) is expected
        if expected:
            return


def test_a_window_in_which_the_service_did_not_read_begins_anew() -> None:
    life = Life(SETTINGS, State.IN_BODY, 0.0)
    for now in (4.0, 8.0, 12.0):
        life.hold(now)
        assert life.end(now + 4.9) is None
    assert life.end(17.0) is End.REFUSE


def test_bytes_of_one_state_do_not_count_for_the_next() -> None:
    life = Life(SETTINGS, State.IN_BODY, 0.0)
    life.moved(10_000)
    life.enter(State.UNREAD, 1.0)
    assert life.end(6.0) is End.ABORT


def test_the_states_are_documented_with_what_ends_them() -> None:
    page = (Path(__file__).parents[3] / "docs" / "running.md").read_text()
    section = page.partition("## Connections\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \| .* \|$", section, re.MULTILINE))
    assert list(rows) == [state.value for state in State]
    for state, rule in RULES.items():
        named = [*rule.bounds, *(("send_s", "min_bytes_per_s") if rule.paced else ())]
        assert set(named) == set(re.findall(r"`(\w+)`", rows[state.value])), state
        assert f"{LINGER_S:g} s" in rows[state.value] or not rule.extra_s


def test_the_pace_of_a_turn_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "running.md").read_text()
    for sentence in (
        f"lasts at most {TURN_S * 1e3:g} ms",
        f"has at most {HEAD_BYTES // 1024} KiB and {HEAD_LINES} lines",
        f"{RESERVE} more are accepted",
        f"pauses that double up to {LONGEST_S:g} s",
        f"has not run for {HANGS_S:g} s",
        f"up to {QUEUED_LINES:,} lines wait",
        f"up to {BURST_LINES} lines of one kind at once, and {LINES_A_SECOND:g} per second",
    ):
        assert sentence in page, sentence
