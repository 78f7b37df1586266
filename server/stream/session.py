"""One stream, sans I/O: which message may come when, which bursts are processed, what is answered.

    for reply in session.receive(message): send(reply)
    while (rows := session.rows_to_step()) is not None:
        for reply in session.advance(runtime.step(rows, session.hidden)): send(reply)

Illegal messages raise `ServiceError` and change nothing.
"""

from dataclasses import fields
from enum import StrEnum

import msgspec
import numpy as np

from model.exit_policy import CalibratedPolicy, ExitPolicy, PolicyError, describe_policy, parse_policy
from model.preprocess import rgb_rows
from model.scan import FrameScan
from model.step import Hidden, Pixels, StepResult, StepRuntime
from sensor_sim.burst import PixelFormat
from sensor_sim.wire import (
    Checkpoint,
    Control,
    Credit,
    Decision,
    End,
    GoingAway,
    Hello,
    Message,
    Position,
    Progress,
    Resume,
    Rows,
    Shed,
    Skip,
    Summary,
    Sync,
    Welcome,
)
from server.errors import ServiceError
from server.networks import Networks, ServedNetwork, choose
from server.settings import Limits
from server.stream.tokens import Snapshot, Tokens, encode_hello


class Phase(StrEnum):
    """Where a connection is in the protocol."""

    OPENING = "opening"
    STREAMING = "streaming"
    ENDED = "ended"


LEGAL: dict[tuple[Phase, type[Message]], Phase] = {
    (Phase.OPENING, Hello): Phase.STREAMING,
    (Phase.OPENING, Resume): Phase.STREAMING,
    (Phase.STREAMING, Rows): Phase.STREAMING,
    (Phase.STREAMING, Sync): Phase.STREAMING,
    (Phase.STREAMING, End): Phase.ENDED,
}
"""Which message each phase allows, and the phase it leads to."""


SCAN_STATE = tuple(field.name for field in fields(FrameScan) if field.name not in ("bursts_per_frame", "policy"))
"""What of a frame in progress travels in a token."""


class StreamSession:
    """The state of one stream.

    Args:
        models: the networks served, by variant.
        limits: told to the client in `welcome`.
        tokens: makes and reads resume tokens; None where nothing is ever resumed: they are empty then.

    Attributes:
        phase: where the connection is.
        hidden: the network's state.
        frames, shed: decided and shed on this connection.
        bursts: that came on this connection.
    """

    __slots__ = (
        "_burst_rows",
        "_bursts_per_frame",
        "_checkpoint_every",
        "_compute_us",
        "_frame_id",
        "_halo_rows",
        "_hello",
        "_limits",
        "_model",
        "_models",
        "_pixel_format",
        "_policy",
        "_progress_every",
        "_queue",
        "_received",
        "_scan",
        "_tokens",
        "_told",
        "_totals",
        "_turn_rows",
        "_width",
        "bursts",
        "frames",
        "hidden",
        "phase",
        "shed",
    )  # fmt: skip

    def __init__(self, models: Networks, limits: Limits, tokens: Tokens | None) -> None:
        self._models, self._limits, self._tokens = models, limits, tokens
        self.phase = Phase.OPENING
        self.hidden: Hidden = np.zeros((0, 0), np.float32)
        self.frames = self.shed = self.bursts = 0
        self._told = limits.credit_bursts  # the client may send so many bursts
        self._progress_every = self._checkpoint_every = 0
        self._pixel_format = PixelFormat.RGB8
        self._halo_rows = 0  # above and below together
        self._width = self._burst_rows = self._bursts_per_frame = self._turn_rows = 0  # looked up for every message
        self._frame_id = -1
        self._scan: FrameScan | None = None
        self._received = 0  # bursts of the frame that came, or were skipped and left out
        self._queue: Rows | None = None  # the message being worked through
        self._totals = Summary(0, 0, 0, 0, 0, 0)
        self._compute_us = 0.0  # of the frame at hand
        self._model: ServedNetwork
        self._policy: ExitPolicy

    @property
    def runtime(self) -> StepRuntime:
        """The network that `hello` asked for."""
        return self._model.runtime

    @property
    def between_frames(self) -> bool:
        """Whether no frame is in progress."""
        return self._scan is None or self._scan.decided

    @property
    def frame_id(self) -> int:
        """The last frame begun; -1 before the first."""
        return self._frame_id

    @property
    def credits_left(self) -> int:
        """Bursts that the client may send before it is granted more."""
        return self._told - self.bursts

    @property
    def received_bytes(self) -> int:
        """Samples of the bursts that came; headers and halos are not counted."""
        return self.bursts * self._burst_rows * self._width * self._pixel_format.channels

    def token(self) -> str:
        """A resume token of the state as it is; empty before `welcome`."""
        if self.phase is Phase.OPENING or self._tokens is None:
            return ""
        scan = self._scan
        digest, hello = self._model.digest, self._hello
        if scan is None or scan.decided:
            return self._tokens.seal(digest, hello, self._totals, self._frame_id)
        state = {name: getattr(scan, name) for name in SCAN_STATE}
        return self._tokens.seal(digest, hello, self._totals, self._frame_id, state, self.hidden.tobytes())

    def going_away(self, reason: str, seconds: float) -> GoingAway:
        """What to tell the client when the stream has to end."""
        return GoingAway(reason, seconds, self.token())

    def receive(self, message: Message, *, behind: bool = False) -> list[Control]:
        """Takes a message; what to answer at once. Rows are then fetched with `rows_to_step`.

        Args:
            message: what came.
            behind: whether the event loop is late; a frame that begins then is shed.

        Raises:
            ServiceError: the message is not legal here.
        """
        phase = LEGAL.get((self.phase, type(message)))
        if phase is None:
            allowed = " or ".join(kind.__name__.lower() for known, kind in LEGAL if known is self.phase) or "nothing"
            raise ServiceError(
                "out_of_phase",
                f"{type(message).__name__.lower()} came in the phase {self.phase}, which allows {allowed}",
            )
        replies: list[Control] = []
        if isinstance(message, Rows):
            shed = self.shed
            self._receive_rows(message, behind)
            self.bursts += message.bursts
            if self.shed != shed:
                replies.append(Shed(message.frame_id))
            if 2 * (self._told - self.bursts) <= self._limits.credit_bursts:
                replies.append(Credit(self._top_up()))
        elif isinstance(message, Hello):
            replies.append(self._open(message))
        elif isinstance(message, Resume):
            replies.append(self._reopen(message))
        elif isinstance(message, Sync):
            replies.append(message)
        else:
            replies.append(self._totals)
        self.phase = phase
        return replies

    def _top_up(self) -> int:
        self._told = self.bursts + self._limits.credit_bursts
        return self._told

    def _open(self, hello: Hello) -> Welcome:
        served = choose(self._models, hello.variant)
        try:
            policy = parse_policy(hello.policy, served.certified)
        except PolicyError as error:
            raise ServiceError("bad_policy", str(error)) from error
        self._model, self._policy = served, policy
        self._hello = encode_hello(hello)
        self._progress_every, self._checkpoint_every = hello.progress_every, hello.checkpoint_every
        self._pixel_format = hello.pixel_format
        self._halo_rows = 2 * hello.pixel_format.halo_rows
        config = self.runtime.config
        self._width, self._burst_rows = config.width, config.BURST_ROWS
        self._bursts_per_frame = config.bursts_per_frame
        self._turn_rows = config.BURST_ROWS * (1 if policy.acts else self.runtime.turn_bursts)
        return Welcome(
            variant=config.name,
            height=config.height,
            width=config.width,
            burst_rows=config.BURST_ROWS,
            bursts_per_frame=config.bursts_per_frame,
            policy=describe_policy(policy),
            progress_every=hello.progress_every,
            weights=self._model.digest,
            limits=self._limits.model_dump(),
            credits=self._told,
            token=self._tokens.seal(self._model.digest, self._hello, self._totals, self._frame_id)
            if self._tokens
            else "",
            pixel_format=hello.pixel_format,
        )

    def _reopen(self, resume: Resume) -> Welcome:
        if self._tokens is None:
            raise ServiceError("bad_token", "nothing is resumed here; begin with hello")
        snapshot, hello = self._tokens.open(resume.token)
        served = self._models.get(hello.variant)
        if served is None or served.digest != snapshot.digest:
            raise ServiceError(
                "foreign_token", f"the resume token is of other weights of {hello.variant[:40]!r}; begin with hello"
            )
        welcome = self._open(hello)
        self._totals, self._frame_id = snapshot.totals, snapshot.frame_id
        position = None
        if snapshot.frame_id >= 0:
            try:
                position = Position(snapshot.frame_id, self._restore(snapshot))
            except (TypeError, ValueError):  # signed by another release
                raise ServiceError("bad_token", "the resume token is of another layout; begin with hello") from None
        return msgspec.structs.replace(welcome, token=resume.token, position=position)

    def _restore(self, snapshot: Snapshot) -> int:
        """Takes the frame in progress from a token; the burst that is wanted next."""
        scan = FrameScan(self._bursts_per_frame, self._policy, **(snapshot.scan or {}))
        if snapshot.scan is None:
            scan.next_burst = self._bursts_per_frame
        else:
            hidden = np.frombuffer(snapshot.hidden, "<f4").astype(np.float32)
            self.hidden = hidden.reshape(self.runtime.config.hidden_shape)
            self._received = scan.last_burst + 1
        self._scan = scan
        return scan.next_burst

    def _receive_rows(self, message: Rows, behind: bool) -> None:
        if message.pixel_format is not self._pixel_format:
            raise ServiceError(
                "wrong_geometry", f"rows of {message.pixel_format} came; hello announced {self._pixel_format}"
            )
        rows, width, _ = message.rows.shape
        rows -= self._halo_rows
        if width != self._width or rows != message.bursts * self._burst_rows:
            raise ServiceError(
                "wrong_geometry",
                f"{message.bursts} bursts of {self.runtime.config.name} are "
                f"{message.bursts * self._burst_rows} rows of {self._width} px, not {rows} of {width} px",
            )
        if message.bursts > self._limits.message_bursts:
            raise ServiceError(
                "too_many_bursts",
                f"a message has at most {self._limits.message_bursts} bursts, this one has {message.bursts}",
            )
        if self.bursts + message.bursts > self._told:
            raise ServiceError(
                "credit_exceeded",
                f"credits were given for {self._told} bursts; this message makes it {self.bursts + message.bursts}",
            )
        end = message.first_burst + message.bursts
        if end > self._bursts_per_frame:
            raise ServiceError(
                "out_of_order", f"a frame has {self._bursts_per_frame} bursts; number {end - 1} is beyond it"
            )
        decided = self._scan is None or self._scan.decided
        if decided and message.frame_id == self._frame_id:
            return  # it was on its way when the decision was made
        if decided:
            if message.frame_id < self._frame_id:
                raise ServiceError("out_of_order", f"frame {message.frame_id} came after frame {self._frame_id}")
            received, skipped_to = 0, 0
        else:
            if message.frame_id != self._frame_id:
                raise ServiceError(
                    "out_of_order", f"frame {message.frame_id} came while frame {self._frame_id} was undecided"
                )
            assert self._scan is not None  # noqa: S101 - implied by not decided
            received, skipped_to = self._received, self._scan.next_burst
        if not received <= message.first_burst <= max(received, skipped_to):
            raise ServiceError(
                "out_of_order",
                f"burst {message.first_burst} of frame {message.frame_id} came, "
                f"burst {max(received, skipped_to)} is next",
            )
        if decided:
            self._frame_id = message.frame_id
            self._scan = FrameScan(self._bursts_per_frame, self._policy)
            self._compute_us = 0.0
            if behind:
                self._scan.next_burst = self._bursts_per_frame  # done with, undecided
                self.shed += 1
                return
            self.hidden = self.runtime.initial_hidden()
        self._received = end
        if self._pixel_format is not PixelFormat.RGB8:
            first_row = message.first_burst * self._burst_rows
            message = msgspec.structs.replace(message, rows=rgb_rows(message.rows, self._pixel_format, first_row))
        self._queue = message

    def rows_to_step(self) -> Pixels | None:
        """The rows that the network is to see next; None when there are none.

        One burst where the policy can act, else so many that a call stays short.
        """
        queue, scan = self._queue, self._scan
        if queue is None or scan is None:
            return None
        if scan.decided or scan.next_burst >= queue.first_burst + queue.bursts:
            self._queue = None
            return None
        first, turn = (scan.next_burst - queue.first_burst) * self._burst_rows, self._turn_rows
        return queue.rows[first : first + turn] if first or len(queue.rows) > turn else queue.rows

    def advance(self, result: StepResult, compute_us: float = 0.0) -> list[Control]:
        """Takes what the network said to the rows of `rows_to_step`, and how long it took; what to answer."""
        scan = self._scan
        assert scan is not None  # noqa: S101 - rows_to_step gave rows
        self._compute_us += compute_us
        replies: list[Control] = []
        before, frame_id, progress_every = scan.processed, self._frame_id, self._progress_every
        for p_person, confidence in zip(result.p_person, result.confidence, strict=True):
            skipped = scan.advance(p_person, confidence)
            if progress_every and (scan.last_burst + 1) % progress_every == 0:
                replies.append(Progress(frame_id, scan.last_burst, p_person, confidence))
            if skipped is not None:
                replies.append(Skip(self._frame_id, skipped))
            if scan.decided:
                replies.append(self._decide(scan))
        every = self._checkpoint_every
        if every and scan.processed // every > before // every and not scan.decided:
            replies.append(Checkpoint(self._frame_id, scan.last_burst, self._top_up(), self.token()))
        return replies

    def _decide(self, scan: FrameScan) -> Decision:
        totals = self._totals
        self._totals = Summary(
            totals.frames + 1,
            totals.persons + scan.person,
            totals.exited + scan.exited,
            totals.processed + scan.processed,
            totals.skipped + scan.skipped,
            totals.unread + scan.unread,
        )
        self.frames += 1
        return Decision(
            self._frame_id,
            scan.last_burst,
            scan.p_person,
            scan.person,
            scan.exited,
            scan.processed,
            scan.skipped,
            scan.unread,
            self._top_up(),
            self.token(),
            round(self._compute_us),
            self._policy.certificate if isinstance(self._policy, CalibratedPolicy) else "",
        )
