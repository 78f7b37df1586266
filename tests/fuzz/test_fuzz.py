import importlib
import json
import random
from collections import Counter

import pytest

from model.exit_policy import ExitPolicy
from model.step import StepRuntime
from server.frame import FrameInProgress, FrameState
from server.networks import ServedNetwork
from server.stream.session import StreamSession
from tests.fuzz import doors
from tests.fuzz.machine import Conversation
from tests.fuzz.run import conversations, guided, mutated, tokens
from tests.fuzz.targets import TARGETS

OUTCOMES = {
    "messages": {"malformed_json", "malformed_rows", "unknown_type", "bad_field"},
    "tokens": {"bad_token"},
    "streams": {"accepted", "bad_field", "malformed_json", "upgraded", "refused 400"},
    "connections": {"200", "400", "no answer"},
    "pictures": {"accepted", "unreadable_image"},
    "forms": {"accepted", "bad_request", "bad_option"},
    "tensors": {"accepted", "bad_request", "bad_tensor"},
    "weights": {"refused"},
    "certificates": {"refused"},
    "recordings": {"refused"},
}
"""Outcomes that damaged bytes come to, among others, at each place."""


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_bytes_give_typed_errors(target: str) -> None:
    found = mutated(target, random.Random(1), 20_000 // TARGETS[target].cost)
    assert OUTCOMES[target] <= set(found), found


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_well_formed_is_taken(target: str) -> None:
    place = TARGETS[target]
    found = {place.take(seed) for seed in place.seeds()}
    assert found & {"accepted", "200", "upgraded"}, found


def test_damaged_tokens_are_never_taken() -> None:
    assert {"bad_token"} <= set(tokens(random.Random(1), 5_000))


@pytest.mark.parametrize("target", ["messages", "streams"])  # to start takes as long as all of these inputs
def test_coverage_finds_typed_errors_alone(target: str) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed")
    guided(target, 10_000 // TARGETS[target].cost, 1)


def test_conversations_give_typed_errors() -> None:
    wanted = {
        "Welcome", "Progress", "Skip", "Decision", "Checkpoint", "Credit", "Shed", "Summary", "Sync", "Abandoned",
        "within a frame", "after a frame", "before hello", "out_of_order", "out_of_phase", "wrong_geometry",
        "too_many_bursts", "bad_token",
        "audited", "audit unsent", "audit interrupted", "within an audit",
    }  # fmt: skip
    Conversation.reached.clear()
    for count in (60, 120, 240, 480):  # the rarest are left out of some sixty conversations
        conversations(count)
        if wanted <= set(Conversation.reached):
            break
    assert wanted <= set(Conversation.reached), Conversation.reached


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


def test_requests_to_the_doors_give_typed_errors(models: dict[str, ServedNetwork]) -> None:
    wanted = {"200", "bad_request", "bad_option", "bad_policy", "bad_tensor", "no_images", "not_found"}
    answers = Counter[str]()
    for count in (200, 400, 800, 1600):  # which requests are drawn depends on the constants of the sources
        answers = doors.ask_at_random(doors.application(models), count)
        if wanted <= set(answers):
            break
    assert wanted <= set(answers), answers


def test_raw_bytes_to_a_service_give_no_5xx(service_url: str) -> None:
    doors.send_at_random(service_url, 60)


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        ("server.pictures.form", "_text", lambda data: data.decode()),
        ("server.tensors.endpoint", "read_tensors", lambda body, *_: json.loads(body)["inputs"][0]["data"]),
    ],
)
def test_requests_find_a_door_that_breaks(
    models: dict[str, ServedNetwork], monkeypatch: pytest.MonkeyPatch, module: str, name: str, broken: object
) -> None:
    app = doors.application(models)
    monkeypatch.setattr(importlib.import_module(module), name, broken)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever it breaks with
        doors.ask_at_random(app, 1600, shrink=False)
