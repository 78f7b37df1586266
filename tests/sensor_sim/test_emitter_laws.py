"""Camera, link, emitter and the service's own session together, in virtual and in real time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from unittest.mock import ANY

import msgspec
import numpy as np
import pytest
from hypothesis import Phase as Trial
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

from model.exit_policy import PublishedPolicy, describe_policy
from model.preprocess import rgb_frame
from model.runtime import load_runtime
from model.scan import scan_frame
from sensor_sim.burst import PixelFormat, SensorGeometry
from sensor_sim.camera import Camera
from sensor_sim.clock import Clock, RealClock, VirtualClock
from sensor_sim.emitter import Emitter, FrameLostError, open_emitter
from sensor_sim.ledger import FrameReport
from sensor_sim.link import LinkConditions
from sensor_sim.readout import ReadoutTiming
from sensor_sim.recording import RecordedFrame
from sensor_sim.scene import PanningScene
from sensor_sim.sensor import PRESETS
from sensor_sim.wire import Hello, Rows, decode, encode
from server.audits import Audits
from server.networks import ServedNetwork
from server.settings import Settings
from server.stream.session import Phase, StreamSession
from server.stream.tokens import Tokens
from tests.networks import SMALL, random_checkpoint
from tests.scripted_service import scripted_service
from tests.server.certificates import promised_policy

RUNTIME = load_runtime(random_checkpoint(SMALL, 1))
CERTIFIED = promised_policy(0.5, 0.5, 0.5, 0.5, certificate="ab" * 32)
MODELS = {SMALL.name: ServedNetwork(RUNTIME, "digest", CERTIFIED)}
BURSTS = SMALL.bursts_per_frame

policies = st.builds(
    lambda low, gap: PublishedPolicy(min(low + gap, 1.0), low),
    st.floats(0, 0.7) | st.floats(0.7, 0.98),  # P(person) begins at 0.6 to 0.8 here and goes up to 0.98
    st.floats(0.01, 0.5),
)
formats = st.sampled_from([PixelFormat.RGB8, PixelFormat.MONO8, PixelFormat.BAYER_GRBG8])


@asynccontextmanager
async def _service(heard: list[bytes], audits: Audits | None = None) -> AsyncIterator[str]:
    """The real session behind a bare websocket; keeps the rows as they came."""

    async def converse(connection: ServerConnection) -> None:
        session = StreamSession(MODELS, Settings().limits, Tokens([b"k" * 32], 60, lambda: 0.0), audits)
        while session.phase is not Phase.ENDED:
            data = await connection.recv()
            if isinstance(data, bytes):
                heard.append(data)
            replies = session.receive(decode(data))
            while (rows := session.rows_to_step()) is not None:
                replies += session.advance(RUNTIME.step(rows, session.hidden))
            for reply in replies:
                await connection.send(encode(reply))

    async with scripted_service(converse) as url:
        yield url


def _camera(pixel_format: PixelFormat, timing: ReadoutTiming, seed: int) -> Camera:
    rng = np.random.default_rng(seed)
    levels = rng.uniform(0, 255, (SMALL.height, 1, 3))  # uneven, so that P(person) moves from burst to burst
    picture = np.clip(levels + rng.normal(0, 60, (SMALL.height, 64, 3)), 0, 255).astype(np.uint8)
    geometry = SensorGeometry(SMALL.height, SMALL.width, pixel_format=pixel_format)
    scene = PanningScene(picture, SMALL.width, speed_px_s=2000)
    return Camera(scene, geometry, timing, PRESETS["indoor"], seed=seed)


def _run(
    camera: Camera,
    policy: PublishedPolicy,
    frames: int,
    clock: Clock,
    link: LinkConditions | None = None,
    emit: "list[RecordedFrame] | None" = None,
) -> tuple[list[FrameReport | FrameLostError], list[bytes], list[Rows]]:
    """Reports on `frames` frames, the messages that the service got, the bursts that left."""
    heard: list[bytes] = []
    seen: list[Rows] = []

    async def shot(emitter: Emitter, number: int) -> FrameReport | FrameLostError:
        try:
            if emit:
                return await emitter.emit(emit[number].read, emit[number].start_us)
            return await emitter.emit(camera)
        except FrameLostError as lost:
            return lost

    def observe(event: object) -> None:
        if isinstance(event, Rows):
            seen.append(event)

    async def main() -> list[FrameReport | FrameLostError]:
        hello = Hello(SMALL.name, describe_policy(policy), 0, camera.geometry.pixel_format)
        async with (
            _service(heard) as url,
            open_emitter(url, hello, timing=camera.timing, clock=clock, link=link, observer=observe) as emitter,
        ):
            reports = [await shot(emitter, number) for number in range(frames)]
            summary = await emitter.end()
            assert summary.frames == sum(isinstance(report, FrameReport) for report in reports)
            return reports

    return asyncio.run(main()), heard, seen


def _offline(camera: Camera, report: FrameReport, policy: PublishedPolicy) -> tuple[object, ...]:
    samples = camera.frame(report.frame_id, report.start_us)
    pixel_format = camera.geometry.pixel_format
    frame = samples if pixel_format is PixelFormat.RGB8 else rgb_frame(samples, pixel_format)
    scan = scan_frame(RUNTIME, frame, policy)
    return scan.person, scan.exited, scan.processed, scan.skipped, scan.unread, scan.last_burst


def _online(report: FrameReport) -> tuple[object, ...]:
    decision = report.decision
    return (
        decision.person,
        decision.exited,
        decision.processed,
        decision.skipped,
        decision.unread,
        decision.burst_index,
    )


links = st.builds(
    LinkConditions,
    bandwidth_bit_s=st.none() | st.sampled_from([3e6, 1e7]),
    latency_us=st.sampled_from([0.0, 300.0, 4000.0]),
    jitter_us=st.sampled_from([0.0, 500.0]),
    frame_loss=st.sampled_from([0.0, 0.4]),
    service_us=st.sampled_from([0.0, 700.0]),
    seed=st.integers(0, 9),
)


@settings(max_examples=30)
@given(policy=policies, pixel_format=formats, link=links, restart=st.booleans(), seed=st.integers(0, 99))
def test_exit_and_skip_never_lose_or_repeat_a_row(
    policy: PublishedPolicy, pixel_format: PixelFormat, link: LinkConditions, restart: bool, seed: int
) -> None:
    timing = ReadoutTiming(100, 4000, restart_on_exit=restart)
    camera = _camera(pixel_format, timing, seed)
    reports, heard, _ = _run(camera, policy, 3, VirtualClock(), link)
    messages = [message for data in heard if isinstance(message := decode(data), Rows)]
    next_us = 0.0
    for frame_id, report in enumerate(reports):
        ledger = report.ledger if isinstance(report, FrameLostError) else report
        assert ledger.start_us >= next_us
        assert ledger.start_us < ledger.end_us <= ledger.start_us + 100 * SMALL.height + 1  # time stamps are whole us
        assert ledger.end_us <= ledger.next_us
        if isinstance(report, FrameReport):
            decided_us, read_us = report.start_us + report.decision_us, report.start_us + 100 * SMALL.height
            boundary_us = report.start_us + 4000
            if report.decision.exited:  # the readout ends with the word, if that comes before the last row
                assert report.end_us == pytest.approx(min(decided_us, read_us), abs=1)
            else:
                assert report.end_us == pytest.approx(read_us, abs=1)
            assert ledger.rows_skipped <= report.decision.skipped * SMALL.BURST_ROWS  # the others' word came late
            lines_us = 100 * (report.rows_read + report.rows_skipped)
            assert -1 <= report.end_us - report.start_us - lines_us < 101
            if restart and report.decision.exited:
                assert report.next_us == min(boundary_us, max(decided_us, report.end_us))
            elif decided_us <= boundary_us:
                assert report.next_us == boundary_us
        next_us = ledger.next_us
        assert ledger.rows_read + ledger.rows_skipped + ledger.rows_unread == ledger.rows == SMALL.height
        assert ledger.rows_sent == ledger.bursts_sent * SMALL.BURST_ROWS <= ledger.rows_read
        assert ledger.bytes_sent + ledger.bytes_saved == BURSTS * camera.geometry.burst_bytes
        arrived = [message for message in messages if message.frame_id == frame_id]
        if isinstance(report, FrameLostError):
            assert not arrived
            continue
        indices = [message.first_burst for message in arrived]
        assert indices == sorted(set(indices))
        assert len(indices) == ledger.bursts_sent == report.decision.processed + ledger.late_bursts
        bursts = {burst.first_burst: burst for burst in camera(frame_id, report.start_us)}
        for message in arrived:
            assert np.array_equal(message.rows, bursts[message.first_burst].rows)
            assert message.readout_us == bursts[message.first_burst].readout_us
        assert _online(report) == _offline(camera, report, policy)


@settings(max_examples=10)
@given(policy=policies, pixel_format=formats, link=links, seed=st.integers(0, 99))
def test_virtual_time_repeats_itself_and_so_does_a_recording(
    policy: PublishedPolicy, pixel_format: PixelFormat, link: LinkConditions, seed: int
) -> None:
    camera = _camera(pixel_format, ReadoutTiming(100, 4000), seed)
    first, heard, _ = _run(camera, policy, 2, VirtualClock(), link)
    again, heard_again, _ = _run(camera, policy, 2, VirtualClock(), link)
    assert [str(report) for report in first] == [str(report) for report in again]
    assert heard == heard_again
    starts = [report.ledger.start_us if isinstance(report, FrameLostError) else report.start_us for report in first]
    recorded = [RecordedFrame(i, start_us, tuple(camera(i, start_us))) for i, start_us in enumerate(starts)]
    _, replayed, _ = _run(camera, policy, 2, VirtualClock(), link, recorded)
    assert replayed == heard


def _without_clock(report: FrameReport | FrameLostError) -> object:
    """What doesn't say when exactly the service answered, and how much of a burst was read until then."""
    ledger = report.ledger if isinstance(report, FrameLostError) else replace(report, decision_us=0)
    return replace(ledger, end_us=0, next_us=0, rows_read=0, rows_unread=0)


class _PatientClock(RealClock):
    """Real time, of which a stall counts as one tick: while the machine does other things, time stands still.

    Camera and service share one loop. So whatever the machine is at, the service has as many turns of the loop for its
    answer as there are ticks between two bursts.
    """

    TICK_US = 500.0

    def __init__(self) -> None:
        self._time_us = 0.0

    def now_us(self) -> float:
        return self._time_us

    async def sleep_until(self, time_us: float) -> None:
        await super().sleep_until(self._time_us)
        while (left_us := time_us - self._time_us) > 0:
            began_us = super().now_us()
            await asyncio.sleep(min(left_us, self.TICK_US) / 1e6)
            self._time_us += min(super().now_us() - began_us, left_us, self.TICK_US)


@settings(max_examples=8, phases=[Trial.generate])  # a failure is not shrunk: that would take minutes of real time
@given(
    policy=policies,
    pixel_format=formats,
    link=st.builds(
        LinkConditions,
        bandwidth_bit_s=st.sampled_from([None, 1e7]),
        latency_us=st.sampled_from([0.0, 500.0]),
        jitter_us=st.sampled_from([0.0, 500.0]),
        frame_loss=st.sampled_from([0.0, 0.5]),
        seed=st.integers(0, 9),
    ),
    seed=st.integers(0, 99),
)
def test_virtual_and_real_time_agree(
    policy: PublishedPolicy, pixel_format: PixelFormat, link: LinkConditions, seed: int
) -> None:
    """Bursts 8 ms apart leave the service time to answer."""
    camera = _camera(pixel_format, ReadoutTiming(1600, 50_000), seed)
    virtual, heard, left = _run(camera, policy, 2, VirtualClock(), link)
    real, really_heard, really_left = _run(camera, policy, 2, _PatientClock(), link)
    assert really_heard == heard
    assert [_without_clock(report) for report in real] == [_without_clock(report) for report in virtual]
    assert [burst.readout_us for burst in really_left] == [burst.readout_us for burst in left]


def test_late_commands_count_as_late() -> None:
    """The answer to a burst takes three bursts: what is sent meanwhile is sent in vain."""
    policy = PublishedPolicy(0.02, 0.0)  # exits at the first burst
    camera = _camera(PixelFormat.RGB8, ReadoutTiming(100, 4000), 1)
    (report,), heard, _ = _run(camera, policy, 1, VirtualClock(), LinkConditions(service_us=1600))
    assert isinstance(report, FrameReport)
    assert report.decision.processed == 1
    assert (report.bursts_sent, report.late_bursts, len(heard)) == (4, 3, 4)
    assert (report.rows_read, report.rows_unread) == (21, SMALL.height - 21)  # a row between 2000 and 2100
    assert report.decision_us == report.end_us == 500 + 1600


def test_a_skip_leaves_a_burst_unread_unless_it_comes_late() -> None:
    """After each burst that is looked at, the next one is not wanted; in the second run its word takes 600 us."""
    policy = PublishedPolicy(1.0, 0.999)
    camera = _camera(PixelFormat.BAYER_GRBG8, ReadoutTiming(100, 4000), 1)
    burst_bytes = camera.geometry.burst_bytes
    for service_us, sent, late in ((0.0, 3, 0), (600.0, 6, 3)):
        (report,), heard, _ = _run(camera, policy, 1, VirtualClock(), LinkConditions(service_us=service_us))
        assert isinstance(report, FrameReport)
        assert (report.decision.processed, report.decision.skipped, report.decision.unread) == (3, 3, 0)
        assert (report.bursts_sent, report.late_bursts, len(heard)) == (sent, late, sent)
        assert (report.rows_read, report.rows_skipped, report.rows_unread) == (5 * sent, 30 - 5 * sent, 0)
        assert (report.bytes_sent, report.bytes_saved) == (sent * burst_bytes, (6 - sent) * burst_bytes)
        assert report.end_us == 3000


def test_an_exit_empties_the_buffer_of_a_slow_link() -> None:
    policy = PublishedPolicy(0.02, 0.0)
    camera = _camera(PixelFormat.RGB8, ReadoutTiming(100, 4000), 1)
    link = LinkConditions(bandwidth_bit_s=8e6 * 480 / 900)  # a burst takes 900 us, and comes every 500
    (report,), heard, _ = _run(camera, policy, 1, VirtualClock(), link)
    assert isinstance(report, FrameReport)
    # burst 0 arrives at 1400, burst 1 left then and arrives in vain; of burst 2, read from 1000 on, 4 rows are out
    assert (report.rows_read, report.rows_sent, report.late_bursts, len(heard)) == (14, 10, 1, 2)
    assert (report.end_us, report.next_us) == (1400, 4000)


def test_an_exit_starts_the_next_frame_at_once_or_at_its_boundary() -> None:
    policy = PublishedPolicy(0.02, 0.0)
    for restart, starts in ((False, [0, 4000, 8000]), (True, [0, 500, 1000])):
        camera = _camera(PixelFormat.RGB8, ReadoutTiming(100, 4000, restart_on_exit=restart), 1)
        reports, _, _ = _run(camera, policy, 3, VirtualClock())
        assert [report.start_us for report in reports if isinstance(report, FrameReport)] == starts


def test_a_day_passes_as_fast_as_it_can() -> None:
    """A frame every five minutes, and the decisions of each one worked out offline."""
    clock = VirtualClock()
    camera = _camera(PixelFormat.MONO8, ReadoutTiming(100, 300e6), 3)
    policy = PublishedPolicy(0.6, 0.3)
    reports, _, _ = _run(camera, policy, 288, clock)
    assert [report.start_us for report in reports if isinstance(report, FrameReport)] == [
        300e6 * number for number in range(288)
    ]
    assert clock.now_us() > 86_400e6 - 300e6
    for report in reports[::37]:
        assert isinstance(report, FrameReport)
        assert _online(report) == _offline(camera, report, policy)


@given(pixel_format=formats, seed=st.integers(0, 99), latency_us=st.sampled_from([0.0, 1000.0, 30_000.0]))
def test_an_audited_frame_is_sent_to_its_end_and_decided_as_early(
    pixel_format: PixelFormat, seed: int, latency_us: float
) -> None:
    """At once at the decision, and whole; the decision and its time are those of a service that audits nothing."""
    timing = ReadoutTiming(line_time_us=1000, frame_period_us=100_000)
    link = LinkConditions(latency_us=latency_us)
    reports: list[list[FrameReport]] = []
    for share in (0.0, 1.0):
        audits = Audits(MODELS, share, 0.01, "warn", b"key")

        async def main(audits: Audits = audits) -> list[FrameReport]:
            hello = Hello(SMALL.name, None, 0, pixel_format)
            async with (
                _service([], audits) as url,
                open_emitter(url, hello, timing=timing, clock=VirtualClock(), link=link) as emitter,
            ):
                found = [await emitter.emit(_camera(pixel_format, timing, seed)) for _ in range(2)]
                await emitter.end()
                return found

        reports.append(asyncio.run(main()))
    watch = audits.watch_of(CERTIFIED.certificate)
    assert watch is not None
    assert (watch.totals.judged, watch.totals.unsent) == (2, 0)
    for plain, audited in zip(*reports, strict=True):
        assert audited.decision == msgspec.structs.replace(plain.decision, audit=True, compute_us=ANY)
        assert audited.decision_us == plain.decision_us
        assert (audited.rows_sent, audited.rows_unread, audited.late_bursts) == (SMALL.height, 0, 0)
        assert audited.audited_bursts == audited.decision.unread == BURSTS - 1
        assert audited.start_us == plain.start_us
