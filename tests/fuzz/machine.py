"""The whole protocol as a Hypothesis state machine: any client against a stream, beside a model of what it owes.

Legal and illegal messages in any order, drops, resumptions from any token ever given, and a server that falls behind;
each connection by another of the ways in which a service takes a stream's bytes.
"""

from collections import Counter
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from model.exit_policy import WHOLE_PICTURE_POLICY, describe_policy, parse_policy
from model.scan import scan_frame
from sensor_sim.burst import PixelFormat
from sensor_sim.wire import (
    Abandon,
    Abandoned,
    Checkpoint,
    Credit,
    Decision,
    End,
    Error,
    GoingAway,
    Hello,
    Message,
    Progress,
    Resume,
    Rows,
    Shed,
    Skip,
    Summary,
    Sync,
    Welcome,
    encode,
)
from server.audit_counts import Outcome, Totals
from server.errors import REFUSALS, ServiceError
from server.stream.session import Phase
from server.stream.streams import Streams
from tests.fuzz.subjects import CERTIFIED, LIMITS, MODELS, RUNTIME
from tests.networks import SMALL, person_curve
from tests.server.stream.ways import WAYS, Directly, Way, new_streams

BURSTS = SMALL.bursts_per_frame
FRAMES = np.random.default_rng(5).integers(0, 256, (4, *SMALL.frame_shape), np.uint8)
_CHANCES = np.concatenate([person_curve(RUNTIME, frame) for frame in FRAMES])
LOW, HIGH = (float(np.quantile(_CHANCES, share)) for share in (0.4, 0.9))
POLICIES: tuple[dict[str, Any] | None, ...] = (
    {"name": "never"},
    {"name": "published", "exit_threshold": HIGH, "skip_threshold": 0.0},
    {"name": "published", "exit_threshold": 1.0, "skip_threshold": LOW},
    None,  # the default: the certified one
)
SKIPPING = 2
"""The policy that leaves out bursts."""
EXPECTED = [[scan_frame(RUNTIME, frame, parse_policy(policy, CERTIFIED)) for frame in FRAMES] for policy in POLICIES]


WHOLE = [scan_frame(RUNTIME, frame, WHOLE_PICTURE_POLICY) for frame in FRAMES]

NOT_FIRST: tuple[Message, ...] = (
    Rows(0, 0, 1, 0, FRAMES[0][:5]), Rows(0, 0, BURSTS, 0, FRAMES[0]), End(), Sync(0), Abandon(0), Skip(0, 0),
)  # fmt: skip
"""Messages with which no stream begins."""


class Conversation(RuleBasedStateMachine):
    """One client's view, over as many connections as it takes.

    Attributes:
        reached: what was answered, over all runs.
    """

    reached: ClassVar[Counter[str]] = Counter()
    policies: ClassVar[tuple[int, ...]] = tuple(range(len(POLICIES)))
    audit_shares: ClassVar[tuple[float, ...]] = (0.0, 1.0)  # a share between the two would be left to chance
    manners: ClassVar[tuple[bool, ...]] = (False, True)

    def __init__(self) -> None:
        super().__init__()
        self.wild = False  # whether it says what is not legal
        self.tokens: list[tuple[str, int, int]] = []  # with the policy and the number of their stream
        self.streams = self._new_streams(0.0)
        self.way: Way | None = None
        self.connections = 0
        self.stream = 0  # the first connection of the stream
        self.audit_at: int | None = None  # burst that the audit of the last frame wants next
        self.judged: set[tuple[int, int]] = set()  # stream and frame of the audits that count
        self.audits: Counter[Outcome] = Counter()
        self.told_to = 0  # the burst after the last one sent

    @staticmethod
    def _new_streams(audit_share: float) -> Streams:
        return new_streams(
            MODELS,
            credit_bursts=LIMITS.credit_bursts,
            message_bursts=LIMITS.message_bursts,
            audit_share=audit_share,
        )

    def _connect(self, way: str) -> None:
        self.teardown()
        self.way = WAYS[way](self.streams)
        self.connections += 1
        self.stream = self.connections
        self.session = self.way.conversation.session
        self.policy = 0
        self.sent = self.credits = 0
        self.frame_id = -1  # in progress or decided last
        self.next_burst = BURSTS  # to send; BURSTS where the frame is done with
        self.ended: set[int] = set()  # without a decision: shed or given up
        self.over = False

    @property
    def streaming(self) -> bool:
        return self.session.phase is Phase.STREAMING and not self.over

    def _say(self, message: Message, behind: bool = False) -> list[Message]:
        """What the service answers; it says the same to what went over the wire. A refusal ends the connection."""
        assert self.way is not None
        before = self.session.frame_id, self.session.phase, self.session.bursts
        self.streams.load.delay_s = 2 * self.streams.settings.shed_s if behind else 0.0
        replies = self.way.say(encode(message))
        if replies and isinstance(error := replies[-1], Error):
            assert self.way.closed == REFUSALS[error.code].close_code, error.code
            if not isinstance(message, Resume | Hello):
                assert (self.session.frame_id, self.session.phase, self.session.bursts) == before
            self.over = True
            raise ServiceError(error.code, error.message)
        if isinstance(message, Rows):
            self.sent += message.bursts
            if self.audit_at == message.first_burst and message.frame_id == self.frame_id:
                self._audit_to(message.first_burst + message.bursts)
            self.told_to = message.first_burst + message.bursts
        if isinstance(message, Abandon | End):
            self._leave_audit(Outcome.UNSENT)
        for reply in replies:
            self.reached[type(reply).__name__] += 1
            self._hear(reply)
        return replies

    def _hear(self, reply: Message) -> None:
        match reply:
            case Welcome():
                self.credits = reply.credits
                self.tokens.append((reply.token, self.policy, self.stream))
            case Credit():
                self._granted(reply.credits)
            case Checkpoint():
                assert reply.frame_id == self.frame_id
                self._granted(reply.credits)
                self.tokens.append((reply.token, self.policy, self.stream))
            case Decision():
                assert reply.frame_id == self.frame_id
                assert reply.frame_id not in self.ended
                assert bool(reply.certificate) == (POLICIES[self.policy] is None)
                audited = bool(self.streams.settings.audit_share and reply.certificate)
                assert reply.audit == (audited and reply.unread > 0)
                if audited:
                    self._audit_to(self.told_to if reply.unread else BURSTS)
                expected = EXPECTED[self.policy][reply.frame_id % len(FRAMES)]
                for field in ("processed", "skipped", "unread", "exited", "person"):
                    assert getattr(reply, field) == getattr(expected, field)
                assert abs(reply.p_person - expected.p_person) < 1e-6
                self._granted(reply.credits)
                self.tokens.append((reply.token, self.policy, self.stream))
                self.next_burst = BURSTS
            case Skip() | Progress():
                assert reply.frame_id == self.frame_id
            case Shed():
                self.ended.add(reply.frame_id)
                self.next_burst = BURSTS
            case Abandoned():
                self._granted(reply.credits)
                self.ended.add(reply.frame_id)
                self.tokens.append((reply.token, self.policy, self.stream))
                self.frame_id, self.next_burst = reply.frame_id, BURSTS
            case Summary() | Sync():
                pass
            case _:
                raise AssertionError(f"the service said {reply}")

    def _audit_to(self, burst: int) -> None:
        """The service has every burst of the last frame before this one, for its audit."""
        self.audit_at = burst
        if burst == BURSTS:
            self.audit_at = None
            if (self.stream, self.frame_id) not in self.judged:
                self.judged.add((self.stream, self.frame_id))
                number = self.frame_id % len(FRAMES)
                agreed = EXPECTED[self.policy][number].person == WHOLE[number].person
                self.audits[Outcome.AGREED if agreed else Outcome.LOST] += 1
                self.reached["audited"] += 1

    def _leave_audit(self, outcome: Outcome) -> None:
        if self.audit_at is not None:
            self.audits[outcome] += 1
            self.reached[f"audit {outcome}"] += 1
        self.audit_at = None

    def _granted(self, bursts: int) -> None:
        assert bursts >= self.credits, "credits are never taken back"
        assert bursts <= self.sent + LIMITS.credit_bursts
        self.credits = bursts

    def _refused(self, message: Message, *codes: str) -> None:
        try:
            self._say(message)
        except ServiceError as error:
            assert error.code in codes, error.code
            self.reached[error.code] += 1
        else:
            raise AssertionError("it was taken")

    def _rows(self, frame_id: int, first: int, bursts: int) -> Rows:
        rows = FRAMES[frame_id % len(FRAMES)][5 * first : 5 * (first + bursts)]
        return Rows(frame_id, first, bursts, 0, rows)

    @initialize(
        data=st.data(),
        checkpoint_every=st.integers(0, 3),
        progress=st.integers(0, 2),
        way=st.sampled_from(sorted(WAYS)),
    )
    def hello(self, data: st.DataObject, checkpoint_every: int, progress: int, way: str) -> None:
        policy = data.draw(st.sampled_from(self.policies))
        self.streams = self._new_streams(data.draw(st.sampled_from(self.audit_shares)))
        self._connect(way)
        self.policy, self.wild = policy, data.draw(st.sampled_from(self.manners))
        (welcome,) = self._say(Hello(SMALL.name, POLICIES[policy], progress, PixelFormat.RGB8, checkpoint_every))
        assert isinstance(welcome, Welcome)
        assert welcome.position is None
        assert welcome.credits == LIMITS.credit_bursts
        assert welcome.policy == describe_policy(parse_policy(POLICIES[policy], CERTIFIED))

    @precondition(lambda self: self.streaming)
    @rule(data=st.data())
    def many_rows(self, data: st.DataObject) -> None:
        """About a frame; otherwise few would be decided."""
        for _ in range(data.draw(st.integers(1, BURSTS))):
            if self.streaming:
                self._send_next(data.draw(st.integers(1, 3)), 1)

    @precondition(lambda self: self.streaming)
    @rule(bursts=st.integers(1, 3), step=st.integers(1, 5), behind=st.sampled_from((False, False, True)))
    def next_rows(self, bursts: int, step: int, behind: bool) -> None:
        self._send_next(bursts, step, behind)

    def _send_next(self, bursts: int, step: int, behind: bool = False) -> None:
        if self.next_burst >= BURSTS:
            self._leave_audit(Outcome.UNSENT)
            self.frame_id, self.next_burst = self.frame_id + step, 0
        first = self.next_burst
        bursts = min(bursts, BURSTS - first, self.credits - self.sent)
        assert bursts > 0, "half of the window is always there between messages"
        self.next_burst = first + bursts
        self._say(self._rows(self.frame_id, first, bursts), behind)

    @precondition(lambda self: self.streaming and self.frame_id >= 0 and self.next_burst == BURSTS)
    @rule(first=st.integers(0, BURSTS - 1))
    def late_rows(self, first: int) -> None:
        """Rows of a decided frame were on their way: dropped."""
        if self.credits > self.sent:
            replies = self._say(self._rows(self.frame_id, first, 1))
            assert all(isinstance(reply, Credit) for reply in replies)

    @precondition(lambda self: self.streaming and self.audit_at is not None and self.credits > self.sent)
    @rule(bursts=st.integers(1, BURSTS), whole=st.booleans())
    def the_rest_for_an_audit(self, bursts: int, whole: bool) -> None:
        """Gets no answer but credits, since the decision was told."""
        while (first := self.audit_at) is not None:
            sent = min(bursts, BURSTS - first, self.credits - self.sent, LIMITS.message_bursts)
            replies = self._say(self._rows(self.frame_id, first, sent))
            assert all(isinstance(reply, Credit) for reply in replies)
            if not whole:
                break

    @precondition(lambda self: self.wild and self.streaming and 0 < self.next_burst < BURSTS)
    @rule(away=st.sampled_from((-1, 1, 2)))
    def rows_out_of_order(self, away: int) -> None:
        first = self.next_burst + away
        skips = self.policy == SKIPPING
        if first >= BURSTS or (away > 0 and skips):  # where bursts may be left out, a gap may be legal
            first = self.next_burst - 1
        if self.sent or not skips:  # the first burst after a resumption may be one that was skipped, sent all the same
            self._refused(self._rows(self.frame_id, first, 1), "out_of_order")

    @precondition(lambda self: self.wild and self.streaming and self.next_burst < BURSTS)
    @rule()
    def another_frame_too_early(self) -> None:
        self._refused(self._rows(self.frame_id + 1, 0, 1), "out_of_order")

    @precondition(lambda self: self.wild and self.streaming and self.frame_id > 0 and self.next_burst == BURSTS)
    @rule()
    def a_frame_of_the_past(self) -> None:
        self._refused(self._rows(self.frame_id - 1, 0, 1), "out_of_order")

    @precondition(lambda self: self.streaming)
    @rule(step=st.integers(0, 3))
    def abandon(self, step: int) -> None:
        """Gives up the frame in progress, the last one once more, or one that has not begun."""
        in_progress = self.next_burst < BURSTS
        frame_id = self.frame_id if in_progress else max(0, self.frame_id + step)
        (answer,) = self._say(Abandon(frame_id))
        assert isinstance(answer, Abandoned)
        assert (answer.frame_id, self.session.frame_id, self.session.between_frames) == (frame_id, frame_id, True)

    @precondition(lambda self: self.wild and self.streaming and self.frame_id >= 0)
    @rule(away=st.sampled_from((-1, 1)))
    def abandon_another_frame(self, away: int) -> None:
        if self.frame_id + away >= 0 and (away < 0 or self.next_burst < BURSTS):
            self._refused(Abandon(self.frame_id + away), "out_of_order")

    @precondition(lambda self: self.wild and self.streaming)
    @rule(kind=st.sampled_from(("wide", "mosaic", "many", "sixty-five", "beyond")))
    def impossible_rows(self, kind: str) -> None:
        frame = self.frame_id + (self.next_burst == BURSTS)
        wide, mosaic = np.zeros((5, SMALL.width + 1, 3), np.uint8), np.zeros((7, SMALL.width, 1), np.uint8)
        many = np.zeros((5 * (LIMITS.message_bursts + 1), SMALL.width, 3), np.uint8)
        message, codes = {
            "wide": (Rows(frame, 0, 1, 0, wide), ("wrong_geometry",)),
            "mosaic": (Rows(frame, 0, 1, 0, mosaic, PixelFormat.BAYER_RGGB8), ("wrong_geometry",)),
            "sixty-five": (
                Rows(frame, 0, 65, 0, np.zeros((5 * 65, SMALL.width, 3), np.uint8)),
                ("too_many_bursts",),
            ),
            "many": (Rows(frame, 0, LIMITS.message_bursts + 1, 0, many), ("too_many_bursts",)),
            "beyond": (Rows(frame, BURSTS, 1, 0, np.zeros((5, SMALL.width, 3), np.uint8)), ("out_of_order",)),
        }[kind]
        self._refused(message, *codes)

    @precondition(lambda self: self.streaming)
    @rule(number=st.integers(0, 2**32 - 1))
    def sync(self, number: int) -> None:
        assert self._say(Sync(number)) == [Sync(number)]

    @precondition(lambda self: self.wild and self.streaming)
    @rule(
        message=st.sampled_from(
            (Hello(SMALL.name), Resume("x"), Skip(0, 0), Shed(0), Abandoned(0, 0, ""), GoingAway("drain", 0, ""))
        )
    )
    def out_of_phase(self, message: Message) -> None:
        self._refused(message, "out_of_phase")

    @precondition(lambda self: self.streaming)
    @rule()
    def end(self) -> None:
        (summary,) = self._say(End())
        assert isinstance(summary, Summary)
        assert self.session.phase is Phase.ENDED

    @precondition(lambda self: self.session.phase is Phase.ENDED)
    @rule(message=st.sampled_from((End(), Sync(0), Hello(SMALL.name))))
    def after_the_end(self, message: Message) -> None:
        """Its connection is closed: nothing is heard any more."""
        assert self.way is not None
        assert self.way.closed == 1000
        assert self.way.say(encode(message)) == []

    @precondition(lambda self: self.streaming)
    @rule()
    def going_away(self) -> None:
        token = self.session.going_away("drain", 1.0).token
        self.tokens.append((token, self.policy, self.stream))

    @rule(data=st.data())
    def drop_and_resume(self, data: st.DataObject) -> None:
        """From any token so far, the last one most often."""
        token, policy, stream = data.draw(st.one_of(st.just(self.tokens[-1]), st.sampled_from(self.tokens)))
        self._connect(data.draw(st.sampled_from(sorted(WAYS))))
        self.policy, self.stream = policy, stream
        (welcome,) = self._say(Resume(token))
        assert isinstance(welcome, Welcome)
        assert welcome.credits == LIMITS.credit_bursts
        if welcome.position:
            self.frame_id, self.next_burst = welcome.position.frame_id, welcome.position.next_burst
            self.audit_at = welcome.position.audit_burst
            self.reached["within an audit"] += self.audit_at is not None
            self.reached["within a frame" if self.next_burst < BURSTS else "after a frame"] += 1

    @precondition(lambda self: self.wild)
    @rule(cut=st.integers(0, 40), way=st.sampled_from(sorted(WAYS)))
    def resume_with_a_damaged_token(self, cut: int, way: str) -> None:
        token = self.tokens[-1][0]
        self._connect(way)
        self._refused(Resume(token[:cut] + token[cut + 1 :]), "bad_token")

    @precondition(lambda self: self.wild)
    @rule(message=st.sampled_from(NOT_FIRST), way=st.sampled_from(sorted(WAYS)))
    def before_hello(self, message: Message, way: str) -> None:
        self._connect(way)
        self._refused(message, "out_of_phase")
        self.reached["before hello"] += 1

    @invariant()
    def counts_agree(self) -> None:
        assert self.session.bursts == self.sent
        assert 0 <= self.session.credits_left <= LIMITS.credit_bursts
        assert set(MODELS) == {SMALL.name}
        if not self.over:  # the end of a connection may be noticed now or later
            self._check_audits()
        assert len(self.streams) == (not self.way_is_over)

    def _check_audits(self) -> None:
        watch = self.streams.audits.watch_of(CERTIFIED.certificate)
        counted = watch.totals if watch else Totals()
        assert counted._replace(alarmed=0) == Totals(*(self.audits[outcome] for outcome in Outcome))

    @property
    def way_is_over(self) -> bool:
        return self.way is None or (self.way.over and not isinstance(self.way, Directly))

    def teardown(self) -> None:
        if self.way is not None:
            self._leave_audit(Outcome.INTERRUPTED)
            self.way.done()
            assert not len(self.streams), "its place is free"
            self._check_audits()
            self.way = None


class AuditedConversation(Conversation):
    """One client's view of a service that audits every exit."""

    policies = (3,)
    audit_shares = (1.0,)
    manners = (False, False, True)
