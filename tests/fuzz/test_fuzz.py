import random

import pytest

from server.stream.session import StreamSession
from server.stream.tokens import Snapshot
from tests.fuzz.machine import Conversation
from tests.fuzz.run import conversations, guided, inputs


def test_damaged_messages_and_tokens_give_typed_errors() -> None:
    found = inputs(random.Random(1), 20_000)
    assert {"malformed_json", "malformed_rows", "unknown_type", "bad_field", "bad_token"} <= set(found)


@pytest.mark.parametrize("target", ["messages", "tokens"])
def test_coverage_finds_typed_errors_alone(target: str) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed")
    guided(target, 10_000, 1)


def test_conversations_give_typed_errors() -> None:
    Conversation.reached.clear()
    conversations(120)
    assert set(Conversation.reached) >= {
        "Welcome", "Progress", "Skip", "Decision", "Checkpoint", "Credit", "Shed", "Summary", "Sync", "within a frame",
        "after a frame", "out_of_order", "out_of_phase", "wrong_geometry", "too_many_bursts", "bad_token",
    }, Conversation.reached  # fmt: skip


def test_conversations_find_a_session_that_grants_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StreamSession, "_top_up", lambda self: self._told)
    with pytest.raises(AssertionError, match="window"):
        conversations(60, shrink=False)


def test_conversations_find_a_session_that_forgets_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    restore = StreamSession._restore

    def forgetful(session: StreamSession, snapshot: Snapshot) -> int:
        next_burst = restore(session, snapshot)
        session.hidden[:] = 0
        return next_burst

    monkeypatch.setattr(StreamSession, "_restore", forgetful)
    with pytest.raises(AssertionError):
        conversations(120, shrink=False)
