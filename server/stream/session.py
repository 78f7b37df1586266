"""One stream, sans I/O: the order of its messages, its credits, and the answers.

A session has phase, credits, totals and tokens; the current frame is a `FrameInProgress`.

    for reply in session.receive(message): send(reply)
    while (rows := session.rows_to_step()) is not None:
        for reply in session.advance(runtime.step(rows, session.hidden)): send(reply)

Illegal messages raise `ServiceError` and change nothing.
"""

from enum import StrEnum

import msgspec

from model.exit_policy import PolicyError, describe_policy, parse_policy
from model.step import Hidden, Pixels, StepResult, StepRuntime
from sensor_sim.burst import PixelFormat
from sensor_sim.wire import (
    TYPE_OF,
    Abandon,
    Abandoned,
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
from server.audit_counts import Outcome
from server.audits import Audits
from server.errors import ServiceError
from server.frame import FrameInProgress
from server.frame_audits import FrameAudits
from server.networks import Networks, ServedNetwork, choose
from server.settings import Limits
from server.stream.tokens import Tokens, encode_hello


class Phase(StrEnum):
    """Phase of a connection in the protocol."""

    OPENING = "opening"
    STREAMING = "streaming"
    ENDED = "ended"


LEGAL: dict[Phase, dict[type[Message], Phase]] = {
    Phase.OPENING: {Hello: Phase.STREAMING, Resume: Phase.STREAMING},
    Phase.STREAMING: {
        Rows: Phase.STREAMING,
        Abandon: Phase.STREAMING,
        Sync: Phase.STREAMING,
        End: Phase.ENDED,
    },
    Phase.ENDED: {},
}
"""The legal messages of each phase, and the phase that each leads to."""


class StreamSession:
    """The state of one stream.

    Args:
        networks: the networks served, by variant.
        limits: told to the client in `welcome`.
        tokens: makes and reads resume tokens; None disables resuming, tokens in replies are then empty strings.
        audits: draws and counts audits of decisions; None for no audits.

    Attributes:
        phase: phase of the connection.
        frames, shed, bursts: counts for this connection: frames decided, frames shed, bursts received.
    """

    __slots__ = (
        "_all_audits", "_audits", "_checkpoint_every", "_credit_limit", "_frame", "_frame_id", "_hello", "_legal",
        "_limits", "_network", "_networks", "_pixel_format", "_progress_every", "_tokens", "_totals",
        "bursts", "frames", "phase", "shed",
    )  # fmt: skip

    def __init__(self, networks: Networks, limits: Limits, tokens: Tokens | None, audits: Audits | None = None) -> None:
        self._networks, self._limits, self._tokens, self._all_audits = networks, limits, tokens, audits
        self.phase = Phase.OPENING
        # The legal messages of the phase: an enumeration's hash is slow, and every burst would ask for it.
        self._legal = LEGAL[self.phase]
        self.frames = self.shed = self.bursts = 0
        # Bursts that the client may have sent in total.
        self._credit_limit = limits.credit_bursts
        # The frame in progress, or the last frame.
        self._frame: FrameInProgress | None = None
        self._frame_id = -1
        self._totals = Summary(0, 0, 0, 0, 0, 0)
        self._progress_every = self._checkpoint_every = 0
        self._network: ServedNetwork
        # The stream's own audits, with its policy.
        self._audits: FrameAudits
        self._hello: msgspec.Raw
        self._pixel_format: PixelFormat

    @property
    def runtime(self) -> StepRuntime:
        """The network that `hello` asked for."""
        return self._network.runtime

    @property
    def hidden(self) -> Hidden:
        """Hidden state of the current frame."""
        return self._begun.hidden

    @property
    def between_frames(self) -> bool:
        """True if no frame is in progress."""
        return self._frame is None or self._frame.over

    @property
    def frame_id(self) -> int:
        """Number of the last frame begun; -1 before the first."""
        return self._frame_id

    @property
    def credits_left(self) -> int:
        """Number of bursts that the client may send before the next grant."""
        return self._credit_limit - self.bursts

    @property
    def received_bytes(self) -> int:
        """Bytes of the samples of all bursts received, without headers and halos."""
        if not self.bursts:
            return 0
        config = self.runtime.config
        return self.bursts * config.BURST_ROWS * config.width * self._pixel_format.channels

    def token(self) -> str:
        """A resume token of the current state; empty before `welcome`."""
        return "" if self.phase is Phase.OPENING else self._seal()

    def going_away(self, reason: str, seconds: float) -> GoingAway:
        """The message that tells the client that the stream ends soon."""
        return GoingAway(reason, seconds, self.token())

    def receive(self, message: Message, *, behind: bool = False) -> list[Control]:
        """Takes a message; returns the answers to send at once. Rows then come from `rows_to_step`.

        Args:
            message: a message of the client.
            behind: whether the event loop is late; a frame that begins then is refused with `shed`.

        Raises:
            ServiceError: the message is not legal now; the session is then unchanged.
        """
        phase = self._legal.get(type(message))
        if phase is None:
            allowed = " or ".join(TYPE_OF[kind] for kind in self._legal) or "nothing"
            raise ServiceError(
                "out_of_phase", f"{TYPE_OF[type(message)]} came in the phase {self.phase}, which allows {allowed}"
            )
        replies: list[Control]
        if isinstance(message, Rows):
            replies = self._receive_rows(message, behind)
        elif isinstance(message, Abandon):
            replies = [self._abandon(message)]
        elif isinstance(message, Hello):
            replies = [self._open(message)]
        elif isinstance(message, Resume):
            replies = [self._reopen(message)]
        elif isinstance(message, Sync):
            replies = [message]
        else:
            self._leave_audit(Outcome.UNSENT)
            replies = [self._totals]
        if phase is not self.phase:
            self.phase, self._legal = phase, LEGAL[phase]
        return replies

    def rows_to_step(self) -> Pixels | None:
        """The rows for the next step of the network, see `FrameInProgress.rows_to_step`."""
        return self._frame.rows_to_step() if self._frame else None

    def advance(self, result: StepResult, compute_us: float = 0.0) -> list[Control]:
        """Takes the network's result for the rows of `rows_to_step`, and the step's time; returns the answers."""
        frame, frame_id, progress_every = self._begun, self._frame_id, self._progress_every
        if frame.audit_burst is not None:
            self._audits.advance(frame, frame_id, result)
            return []
        replies: list[Control] = []
        before = frame.scan.processed
        for burst_index, p_person, confidence, skipped in frame.advance(result, compute_us):
            if progress_every and (burst_index + 1) % progress_every == 0:
                replies.append(Progress(frame_id, burst_index, p_person, confidence))
            if skipped is not None:
                replies.append(Skip(frame_id, skipped))
        every = self._checkpoint_every
        if frame.over:
            replies.append(self._decide(frame))
        elif every and frame.scan.processed // every > before // every:
            replies.append(Checkpoint(frame_id, frame.scan.last_burst, self._grant(), self._seal()))
        return replies

    @property
    def _begun(self) -> FrameInProgress:
        if self._frame is None:
            raise RuntimeError("no frame has begun; ask `rows_to_step` first")
        return self._frame

    def _seal(self) -> str:
        if self._tokens is None:
            return ""
        state = self._frame.state() if self._frame else None
        return self._tokens.seal(
            self._network.digest, self._hello, self._totals, self._frame_id, state, self._audits.stream
        )

    def _grant(self) -> int:
        """Opens the credit window anew; returns the bursts that the client may have sent in total."""
        self._credit_limit = self.bursts + self._limits.credit_bursts
        return self._credit_limit

    def _open(self, hello: Hello, stream: str | None = None) -> Welcome:
        network = choose(self._networks, hello.variant)
        try:
            policy = parse_policy(hello.policy, network.certified)
        except PolicyError as error:
            raise ServiceError("bad_policy", str(error)) from error
        self._network, self._pixel_format = network, hello.pixel_format
        self._audits = FrameAudits(policy, self._all_audits, stream)
        self._hello = encode_hello(msgspec.structs.replace(hello, policy=describe_policy(policy)))
        self._progress_every, self._checkpoint_every = hello.progress_every, hello.checkpoint_every
        config = network.runtime.config
        return Welcome(
            variant=config.name,
            height=config.height,
            width=config.width,
            burst_rows=config.BURST_ROWS,
            bursts_per_frame=config.bursts_per_frame,
            policy=describe_policy(self._audits.policy),
            progress_every=hello.progress_every,
            weights=network.digest,
            limits=self._limits.model_dump(),
            credits=self._credit_limit,
            token=self._seal(),
            pixel_format=hello.pixel_format,
        )

    def _reopen(self, resume: Resume) -> Welcome:
        if self._tokens is None:
            raise ServiceError("bad_token", "nothing is resumed here; begin with hello")
        snapshot, hello = self._tokens.open(resume.token)
        network = self._networks.get(hello.variant)
        if network is None or network.digest != snapshot.digest:
            raise ServiceError(
                "foreign_token",
                f"this resume token was issued for other weights of {hello.variant[:40]!r}; begin with hello",
            )
        try:
            welcome = self._open(hello, snapshot.stream)
        except ServiceError as error:  # another certificate lies beside the same weights
            raise ServiceError(
                "foreign_token", f"this resume token was issued under another policy ({error}); begin with hello"
            ) from None
        self._totals, self._frame_id = snapshot.totals, snapshot.frame_id
        position = None
        if snapshot.frame_id >= 0:
            try:
                self._frame = FrameInProgress.resume(self.runtime, self._audits.policy, snapshot.frame)
            except ValueError:  # signed by another release
                raise ServiceError("bad_token", "the resume token is of another layout; begin with hello") from None
            position = Position(snapshot.frame_id, self._frame.next_burst, self._frame.audit_burst)
        return msgspec.structs.replace(welcome, token=resume.token, position=position)

    def _receive_rows(self, message: Rows, behind: bool) -> list[Control]:
        if message.pixel_format is not self._pixel_format:
            raise ServiceError(
                "wrong_geometry", f"rows of {message.pixel_format} came; hello announced {self._pixel_format}"
            )
        if message.bursts > self._limits.message_bursts:
            raise ServiceError(
                "too_many_bursts",
                f"a message has at most {self._limits.message_bursts} bursts, this one has {message.bursts}",
            )
        if self.bursts + message.bursts > self._credit_limit:
            raise ServiceError(
                "credit_exceeded",
                f"credits were given for {self._credit_limit} bursts; "
                f"this message makes it {self.bursts + message.bursts}",
            )
        frame = self._frame_of(message.frame_id)
        frame.accept(message)
        self.bursts += message.bursts
        replies: list[Control] = []
        if frame is not self._frame:
            self._leave_audit(Outcome.UNSENT)
            self._frame, self._frame_id = frame, message.frame_id
            if behind:
                frame.give_up()
                self.shed += 1
                replies.append(Shed(message.frame_id))
        if 2 * (self._credit_limit - self.bursts) <= self._limits.credit_bursts:
            replies.append(Credit(self._grant()))
        return replies

    def _frame_of(self, frame_id: int) -> FrameInProgress:
        """The frame with this id: the current frame, or a new one, which does not become the current frame here."""
        frame = self._frame
        if frame is not None and frame_id == self._frame_id:
            return frame
        if frame is not None and not frame.over:
            raise ServiceError("out_of_order", f"frame {frame_id} came while frame {self._frame_id} was undecided")
        if frame_id < self._frame_id:
            raise ServiceError("out_of_order", f"frame {frame_id} came after frame {self._frame_id}")
        return FrameInProgress(self.runtime, self._audits.policy)

    def _abandon(self, message: Abandon) -> Abandoned:
        frame = self._frame_of(message.frame_id)
        self._leave_audit(Outcome.UNSENT)
        self._frame = frame
        self._frame_id = message.frame_id
        self._frame.give_up()
        return Abandoned(message.frame_id, self._grant(), self._seal())

    def _decide(self, frame: FrameInProgress) -> Decision:
        scan, totals = frame.scan, self._totals
        audit = self._audits.draw(frame, self._frame_id)
        self._totals = Summary(
            totals.frames + 1,
            totals.persons + scan.person,
            totals.exited + scan.exited,
            totals.processed + scan.processed,
            totals.skipped + scan.skipped,
            totals.unread + scan.unread,
            totals.audited + scan.unread * audit,
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
            self._grant(),
            self._seal(),
            round(frame.compute_us),
            self._audits.promise,
            audit,
        )

    def _leave_audit(self, outcome: Outcome) -> None:
        """Ends the audit that is under way, if there is one."""
        if self._frame is not None:
            self._audits.leave(self._frame, self._frame_id, outcome)

    def disconnect(self) -> None:
        """Notes that the connection is over; what it left open goes on elsewhere, or never."""
        self._leave_audit(Outcome.INTERRUPTED)
