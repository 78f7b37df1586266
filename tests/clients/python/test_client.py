import asyncio
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clients.python.client import DEFAULT_VARIANT, AsyncClient, Client, stream_url
from model import config
from model.exit_policy import NeverExitPolicy
from model.scan import scan_frame
from sensor_sim.burst import Rows, SensorGeometry
from sensor_sim.clock import VirtualClock
from sensor_sim.emitter import Observation
from sensor_sim.readout import Reader, ReadoutTiming, read_bursts
from sensor_sim.uplink import StreamError
from sensor_sim.wire import Progress
from server.networks import ServedNetwork
from tests.model.random_networks import random_frames
from tests.networks import SMALL, person_curve

NEVER = {"name": "never"}


def _photos(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [folder / f"{index}.png" for index in range(3)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (60, 50, 3), np.uint8)).save(path)
    return paths


def test_client_and_network_agree_on_the_default_variant() -> None:
    assert DEFAULT_VARIANT == config.DEFAULT_VARIANT


def test_curve_equals_the_one_in_process(service_url: str, models: dict[str, ServedNetwork], tmp_path: Path) -> None:
    events: list[Observation] = []
    with Client(
        service_url, SMALL.name, policy=NEVER, progress_every=1, clock=VirtualClock(), observer=events.append
    ) as client:
        frames = [client.photo(path) for path in _photos(tmp_path)]
        reports = list(client.stream(frames))
        summary = client.end()
    runtime = models[SMALL.name].runtime
    expected = np.concatenate([person_curve(runtime, frame) for frame in frames])
    assert [event.p_person for event in events if isinstance(event, Progress)] == pytest.approx(expected, abs=1e-6)
    assert summary.frames == len(frames)
    for frame, report in zip(frames, reports, strict=True):
        scan = scan_frame(runtime, frame, NeverExitPolicy())
        assert report.decision.p_person == pytest.approx(scan.p_person, abs=1e-6)
        assert report.rows_sent == SMALL.height


def test_async_client_gives_the_same(service_url: str, tmp_path: Path) -> None:
    async def main() -> list[float]:
        async with AsyncClient(service_url, SMALL.name, policy=NEVER, clock=VirtualClock()) as client:
            frames = [client.photo(path) for path in _photos(tmp_path)]
            return [report.decision.p_person async for report in client.stream(frames)]

    with Client(service_url, SMALL.name, policy=NEVER, clock=VirtualClock()) as client:
        frames = [client.photo(path) for path in _photos(tmp_path)]
        assert asyncio.run(main()) == [report.decision.p_person for report in client.stream(frames)]


def _failing(reader: Reader, after: int) -> Reader:
    """A sensor that fails after so many bursts."""

    def read(frame_id: int, start_us: float) -> Iterator[Rows]:
        yield from islice(reader(frame_id, start_us), after)
        raise OSError("the sensor is gone")

    return read


@pytest.mark.parametrize("after", range(SMALL.bursts_per_frame + 1))
def test_a_sensors_fault_costs_its_frame_and_not_the_stream(
    service_url: str, models: dict[str, ServedNetwork], after: int
) -> None:
    frames = random_frames(SMALL, 3, 5)
    geometry = SensorGeometry(SMALL.height, SMALL.width, SMALL.BURST_ROWS)
    with Client(service_url, SMALL.name, policy=NEVER, clock=VirtualClock()) as client:
        first = client.emit(frames[0])
        with pytest.raises(OSError, match="the sensor is gone"):
            client.emit(
                _failing(lambda number, start: read_bursts(frames[1], geometry, frame_id=number, start_us=start), after)
            )
        last = client.emit(frames[2])
        summary = client.end()
    for report, frame in ((first, frames[0]), (last, frames[2])):
        scan = scan_frame(models[SMALL.name].runtime, frame, NeverExitPolicy())
        assert report.decision.p_person == pytest.approx(scan.p_person, abs=1e-6)
        assert report.decision.processed == SMALL.bursts_per_frame
    assert last.frame_id == first.frame_id + 2
    assert summary.frames == 2 + (after == SMALL.bursts_per_frame)


def test_a_frame_that_is_cancelled_is_given_up(service_url: str, models: dict[str, ServedNetwork]) -> None:
    frames = random_frames(SMALL, 2, 6)

    async def main() -> float:
        begun = asyncio.Event()

        def observe(event: Observation) -> None:
            if isinstance(event, Rows) and event.first_burst == 1:
                begun.set()

        slow = ReadoutTiming(line_time_us=50_000)
        async with AsyncClient(service_url, SMALL.name, policy=NEVER, timing=slow, observer=observe) as client:
            emitting = asyncio.create_task(client.emit(frames[0]))
            await begun.wait()
            emitting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await emitting
            report = await client.emit(
                lambda number, start: read_bursts(frames[1], client.geometry, frame_id=number, start_us=start)
            )
            assert (await client.end()).frames == 1
            return report.decision.p_person

    scan = scan_frame(models[SMALL.name].runtime, frames[1], NeverExitPolicy())
    assert asyncio.run(main()) == pytest.approx(scan.p_person, abs=1e-6)


def test_refusals(service_url: str) -> None:
    with pytest.raises(StreamError) as caught, Client(service_url, "1x1"):
        pass
    assert caught.value.code == "unknown_variant"
    with Client(service_url, SMALL.name) as client, pytest.raises(ValueError, match="a frame must be uint8"):
        client.emit(np.zeros((5, 5, 3), np.uint8))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host:8000", "ws://host:8000/v1/stream"),
        ("https://host/", "wss://host/v1/stream"),
        ("ws://host/v1/stream", "ws://host/v1/stream"),
        ("http://host/prefix/", "ws://host/prefix/v1/stream"),
    ],
)
def test_stream_url(url: str, expected: str) -> None:
    assert stream_url(url) == expected


@pytest.mark.parametrize("url", ["", "host:8000", "ftp://host", "http://"])
def test_not_an_address(url: str) -> None:
    with pytest.raises(ValueError, match="not the address of a service"):
        stream_url(url)


def test_a_client_that_is_not_open_says_how_to_open_it() -> None:
    frame = np.zeros((105, 120, 3), np.uint8)
    client = Client("http://127.0.0.1:1")
    for use in (lambda: client.photo("cat.jpg"), lambda: client.emit(frame), client.keep_open, client.end):
        with pytest.raises(RuntimeError, match=r"within `with Client\(\.\.\.\) as client:`"):
            use()
    with pytest.raises(RuntimeError, match="the stream is not open"):
        asyncio.run(AsyncClient("http://127.0.0.1:1").emit(frame))


def test_what_is_no_frame_is_told_with_what_makes_one(service_url: str) -> None:
    with Client(service_url, SMALL.name, clock=VirtualClock()) as client:
        frame = np.zeros(client.geometry.sample_shape, np.uint8)
        with pytest.raises(TypeError, match=r"client\.photo\('photo\.jpg'\)"):
            list(client.stream(["photo.jpg"]))  # type: ignore[list-item]
        for one in (frame, "photo.jpg"):
            with pytest.raises(TypeError, match="stream\\(\\) takes several frames"):
                list(client.stream(one))  # type: ignore[arg-type]
        assert list(client.stream([frame]))  # and the stream goes on


def test_a_small_credit_window_is_kept(start: Callable[..., str], service_url: str) -> None:
    frames = list(np.random.default_rng(3).integers(0, 256, (3, 105, 120, 3), np.uint8))
    timing = ReadoutTiming(line_time_us=1)
    with (
        Client(start(credit_bursts=3), policy=NEVER, timing=timing) as narrow,
        Client(service_url, policy=NEVER, timing=timing) as wide,
    ):
        chances, expected = ([r.decision.p_person for r in client.stream(frames)] for client in (narrow, wide))
    assert chances == expected
