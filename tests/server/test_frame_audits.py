import numpy as np
import pytest

from model.exit_policy import WHOLE_PICTURE_POLICY, CalibratedPolicy, NeverExitPolicy, PublishedPolicy
from model.scan import scan_frame
from server.audit_counts import Outcome, Totals
from server.audits import Audits
from server.frame import FrameInProgress
from server.frame_audits import FrameAudits
from server.networks import ServedNetwork
from server.settings import AlarmAction
from tests.networks import SMALL
from tests.server.certificates import promised_policy
from tests.server.stream.sessions import BURSTS, RUNTIMES, frame_of, rows_of

CERTIFIED = promised_policy(0.5, 0.5, 0.5, 0.5, certificate="ab" * 32)
"""Exits after the first burst of any frame."""
FRAME_ID = 3


def _audits(share: float = 1.0, action: AlarmAction = "warn") -> Audits:
    return Audits({SMALL.name: ServedNetwork(RUNTIMES[0], "digest", CERTIFIED)}, share, 0.01, action, b"key")


def _totals(audits: Audits) -> Totals:
    watch = audits.watch_of(CERTIFIED.certificate)
    assert watch is not None
    return watch.totals


def _refuted(action: AlarmAction) -> Audits:
    audits = _audits(action=action)
    for frame_id in range(100):
        audits.count(CERTIFIED.certificate, Outcome.LOST, "another stream", frame_id)
    return audits


def _decided(audits: FrameAudits, frame: np.ndarray) -> FrameInProgress:
    """A frame after its first burst, at which the policy exits."""
    begun = FrameInProgress(RUNTIMES[0], audits.policy)
    _read(begun, frame, 0, 1)
    return begun


def _read(begun: FrameInProgress, frame: np.ndarray, first: int, count: int, audits: FrameAudits | None = None) -> None:
    begun.accept(rows_of(frame, first, count, FRAME_ID))
    while (rows := begun.rows_to_step()) is not None:
        result = RUNTIMES[0].step(rows, begun.hidden)
        if audits is None:
            begun.advance(result)
        else:
            audits.advance(begun, FRAME_ID, result)


@pytest.mark.parametrize("seed", range(4))
def test_an_exit_is_judged_at_the_end_of_the_frame(seed: int) -> None:
    counts = _audits()
    audits, frame = FrameAudits(CERTIFIED, counts), frame_of(seed)
    begun = _decided(audits, frame)
    assert audits.draw(begun, FRAME_ID)
    assert begun.audit_burst == 1
    _read(begun, frame, 1, BURSTS - 1, audits)
    agrees = scan_frame(RUNTIMES[0], frame, NeverExitPolicy()).person == begun.scan.person
    assert _totals(counts) == Totals(agreed=int(agrees), lost=int(not agrees))


def test_a_frame_read_to_its_end_agrees_at_once() -> None:
    counts = _audits()
    frame = FrameInProgress(RUNTIMES[0], NeverExitPolicy())
    _read(frame, frame_of(0), 0, BURSTS)
    assert not FrameAudits(CERTIFIED, counts).draw(frame, FRAME_ID)
    assert _totals(counts) == Totals(agreed=1)


@pytest.mark.parametrize("outcome", [Outcome.UNSENT, Outcome.INTERRUPTED])
def test_an_audit_that_is_left_counts_once(outcome: Outcome) -> None:
    counts = _audits()
    audits = FrameAudits(CERTIFIED, counts)
    begun = _decided(audits, frame_of(0))
    audits.leave(begun, FRAME_ID, outcome)
    assert audits.draw(begun, FRAME_ID)
    for _ in range(2):
        audits.leave(begun, FRAME_ID, outcome)
    assert _totals(counts) == Totals(**{outcome: 1})


@pytest.mark.parametrize(
    ("policy", "share"), [(PublishedPolicy(1.0, 0.9999), 1.0), (CERTIFIED, 0.0)], ids=["no certificate", "no share"]
)
def test_nothing_else_is_audited(policy: PublishedPolicy | CalibratedPolicy, share: float) -> None:
    audits = FrameAudits(policy, _audits(share))
    begun = _decided(audits, frame_of(0))
    begun.give_up()
    assert not audits.draw(begun, FRAME_ID)
    assert audits.policy == policy
    assert audits.promise == (CERTIFIED.certificate if policy is CERTIFIED else "")


@pytest.mark.parametrize(
    ("action", "policy", "promise"),
    [
        ("warn", CERTIFIED, CERTIFIED.certificate),
        ("drop", CERTIFIED, ""),
        ("never", WHOLE_PICTURE_POLICY, ""),
    ],
)
def test_what_a_refuted_certificate_still_allows(action: AlarmAction, policy: object, promise: str) -> None:
    audits = FrameAudits(CERTIFIED, _refuted(action))
    assert (audits.policy, audits.promise) == (policy, promise)
    unaudited = FrameAudits(CERTIFIED, None)
    assert (unaudited.policy, unaudited.promise) == (CERTIFIED, CERTIFIED.certificate)


def test_a_stream_has_one_name_over_all_its_connections() -> None:
    first = FrameAudits(CERTIFIED, None)
    assert FrameAudits(CERTIFIED, None, first.stream).stream == first.stream
    assert FrameAudits(CERTIFIED, None).stream != first.stream
