"""Audits of one stream's frames, or of a sequence's one frame: begun at a decision, judged at the end of the frame."""

import secrets

from model.exit_policy import WHOLE_PICTURE_POLICY, CalibratedPolicy, Policy
from model.step import StepResult
from server.audit_counts import Outcome
from server.audits import Audits
from server.frame import FrameInProgress


class FrameAudits:
    """Audits of frames under one policy; a policy without a certificate has none.

    Args:
        policy: the exit policy that the client asked for.
        audits: draws and counts the audits of the process; None: no frame is audited.
        stream: random name of the stream over all its connections; None: a new name.

    Attributes:
        stream: that name.
    """

    __slots__ = ("_audits", "_certificate", "_policy", "stream")

    def __init__(self, policy: Policy, audits: Audits | None, stream: str | None = None) -> None:
        self._policy = policy
        self._certificate = policy.certificate if isinstance(policy, CalibratedPolicy) else ""
        self._audits = audits if self._certificate else None
        self.stream = secrets.token_hex(8) if stream is None else stream

    @property
    def policy(self) -> Policy:
        """The policy for frames that begin now: a certificate that audits have refuted may allow no more exits."""
        if self._audits is not None and not self._audits.exits(self._certificate):
            return WHOLE_PICTURE_POLICY
        return self._policy

    @property
    def promise(self) -> str:
        """Digest of the certificate that decisions name; empty without one, and once audits have refuted it."""
        if self._audits is not None and not self._audits.promises(self._certificate):
            return ""
        return self._certificate

    def draw(self, frame: FrameInProgress, frame_id: int) -> bool:
        """Tosses the coin for a frame that has just been decided; returns true if the rest of the frame is wanted."""
        if self._audits is None or not self._audits.draws(self._certificate, self.stream, frame_id):
            return False
        if frame.scan.unread:
            frame.begin_audit()
            return True
        self._count(Outcome.AGREED, frame_id)
        return False

    def advance(self, frame: FrameInProgress, frame_id: int, result: StepResult) -> None:
        """Takes the network's result for rows of a frame under audit."""
        agreed = frame.advance_audit(result)
        if agreed is not None:
            self._count(Outcome.AGREED if agreed else Outcome.LOST, frame_id)

    def leave(self, frame: FrameInProgress, frame_id: int, outcome: Outcome) -> None:
        """Ends the frame's audit, if one is under way: nothing of the frame comes any more."""
        if frame.audit_burst is not None:
            frame.end_audit()
            self._count(outcome, frame_id)

    def _count(self, outcome: Outcome, frame_id: int) -> None:
        if self._audits is not None:
            self._audits.count(self._certificate, outcome, self.stream, frame_id)
