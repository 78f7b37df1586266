"""Questions to the load generator and its answers, one JSON line each way."""

from dataclasses import dataclass

BUSY_LIMIT = 0.85
"""A generator busier than this may itself be what limits; the figure is void."""

SLACK = 0.005
"""Most of the due bursts that a service leaves unanswered in the time that counts while it keeps up, and most of the
messages that wait behind a whole frame. A machine that others use too stands still for a moment now and then."""


@dataclass(frozen=True, slots=True)
class Load:
    """Streams to a service on a loopback port, all alike.

    Attributes:
        port, pid: port and process of the service.
        echo: true if the service sends messages back instead of answering in the protocol.
        variant: name of the network; says the size of the messages too.
        streams: number of streams.
        bursts_per_message: fewer at the end of a frame that they don't divide.
        frame_rate: frames a second of each stream, bursts evenly over the frame; None: as fast as they are answered,
            one message at a time.
        warmup_s: before the figures count.
        seconds: while they count.
    """

    port: int
    pid: int
    echo: bool
    variant: str
    streams: int
    bursts_per_message: int
    frame_rate: float | None
    warmup_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Idle:
    """Streams that send one burst and then nothing: opened up to each of `counts` in turn."""

    port: int
    pid: int
    variant: str
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Result of a load.

    Attributes:
        seconds: the time that counts.
        messages, bursts: answered in it.
        offered_bursts: due in it by the pace, answered or not; the answered ones without a pace.
        latencies_us: p50, p95, p99 from the sending of a burst's message (when due, where a stream was a whole frame
            behind) to its answer.
        late_p99_us: p99 in the last quarter of the time.
        held_back: times that a stream was a whole frame behind.
        under_way_bursts: in one message of every stream, which may well be unanswered at any time.
        unanswered_bursts: sent and not answered at the end.
        generator_busy: CPU time of the generator over the time.
        server_cpu_s: CPU time of the service in it.
        server_rss_bytes: resident bytes of the service at the end.
    """

    seconds: float
    messages: int
    bursts: int
    offered_bursts: int
    latencies_us: tuple[float, float, float]
    late_p99_us: float
    held_back: int
    under_way_bursts: int
    unanswered_bursts: int
    generator_busy: float
    server_cpu_s: float
    server_rss_bytes: int

    @property
    def kept_up(self) -> bool:
        """True if all bursts due were answered, and no stream fell a frame behind, except for moments (`SLACK`)."""
        answered = self.bursts >= (1 - SLACK) * self.offered_bursts - self.under_way_bursts
        return answered and self.held_back <= SLACK * self.messages

    @property
    def void(self) -> bool:
        """True if the generator may have been the limit."""
        return self.generator_busy >= BUSY_LIMIT
