"""The catalogue of refusals, and who may raise what."""

import ast
from pathlib import Path

import pytest

from server.errors import (
    REFUSALS,
    Asked,
    ServiceError,
    answering,
    before_upgrade,
    closing,
    draining,
    fault_of_ours,
)

SERVER = Path(__file__).parents[2] / "server"
HTTP_DOORS = [
    path for room in ("pictures", "tensors", "info", "http", "connections") for path in (SERVER / room).glob("*.py")
]
HTTP_DOORS += [
    SERVER / "frame.py",
    SERVER / "networks.py",
    SERVER / "process" / "request_pool.py",
    SERVER / "frame_audits.py",
]


def _raised(path: Path) -> set[str]:
    """The codes that errors are made with in a module, where they stand as they are."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    made = [call.args[0] for call in calls if getattr(call.func, "id", "") == "ServiceError" and call.args]
    return {str(code.value) for code in made if isinstance(code, ast.Constant)}


def test_an_unknown_code_fails_where_it_is_raised() -> None:
    with pytest.raises(ValueError, match="not in the catalogue"):
        ServiceError("no_such_code", "message")


@pytest.mark.parametrize("path", HTTP_DOORS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_an_http_door_can_raise_has_a_status(path: Path) -> None:
    for code in _raised(path):
        assert REFUSALS[code].http_status is not None, code
        assert REFUSALS[code].http_status != 500 or code == "internal"


def test_each_refusal_ends_something() -> None:
    for code, refusal in REFUSALS.items():
        assert code == refusal.code
        assert refusal.close_code or refusal.http_status, code
        assert refusal.close_code is None or 1000 <= refusal.close_code < 5000
        assert refusal.http_status is None or 400 <= refusal.http_status < 600
        assert refusal.when[0].islower() or refusal.when[0] == "`"
    everything = {*closing(), *before_upgrade(), *answering()}
    assert everything == set(REFUSALS.values())
    assert all(Asked.UPGRADE in refusal.asked for refusal in before_upgrade())


def test_only_the_service_itself_is_at_fault_with_5xx() -> None:
    faults = {code for code, refusal in REFUSALS.items() if (refusal.http_status or 0) >= 500}
    assert {code for code in faults if REFUSALS[code].http_status != 503} == {"internal"}


def test_close_codes_and_statuses() -> None:
    error = ServiceError("bad_policy", "what was wrong")
    assert (str(error), error.code, error.close_code, error.http_status) == ("what was wrong", "bad_policy", 1008, 422)
    assert (ServiceError("idle", "").http_status, ServiceError("not_found", "").close_code) == (500, 1011)
    assert (draining().http_status, fault_of_ours("stream").close_code) == (503, 1011)


def test_what_is_quoted_can_always_be_written() -> None:
    assert str(ServiceError("bad_policy", "not '\ud800'")).encode() == b"not '\\ud800'"
