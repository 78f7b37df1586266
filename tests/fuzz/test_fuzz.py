import random

import pytest

from model.exit_policy import ExitPolicy
from model.step import StepRuntime
from server.frame import FrameInProgress, FrameState
from server.stream.session import StreamSession
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
        "Welcome", "Progress", "Skip", "Decision", "Checkpoint", "Credit", "Shed", "Summary", "Sync", "Abandoned",
        "within a frame", "after a frame", "before hello", "out_of_order", "out_of_phase", "wrong_geometry",
        "too_many_bursts", "bad_token",
    }, Conversation.reached  # fmt: skip


def test_conversations_find_a_session_that_grants_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StreamSession, "_grant", lambda self: self._credit_limit)
    with pytest.raises(AssertionError, match="window"):
        conversations(60, shrink=False)


def test_conversations_find_a_session_that_forgets_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    resume = FrameInProgress.resume

    def forgetful(runtime: StepRuntime, policy: ExitPolicy, state: FrameState | None) -> FrameInProgress:
        frame = resume(runtime, policy, state)
        frame.hidden[:] = 0
        return frame

    monkeypatch.setattr(FrameInProgress, "resume", forgetful)
    with pytest.raises(AssertionError):
        conversations(120, shrink=False)
