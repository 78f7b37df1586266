"""Streams frames to a service, async or sync.

    with Client("http://127.0.0.1:8000") as client:
        for report in client.stream([client.photo("cat.jpg")]):
            print(report.decision.person, report.decision.p_person, report.rows_sent)

`AsyncClient` is the same for programs with an event loop.
"""

import math
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from anyio.from_thread import BlockingPortal, start_blocking_portal

from sensor_sim.burst import Frame, PixelFormat, SensorGeometry
from sensor_sim.clock import Clock
from sensor_sim.emitter import Emitter, Observer, open_emitter
from sensor_sim.ledger import FrameReport
from sensor_sim.link import LinkConditions
from sensor_sim.readout import Reader, ReadoutTiming
from sensor_sim.scene import photo_frame
from sensor_sim.uplink import Backoff
from sensor_sim.wire import STREAM_PATH, Hello, Summary

DEFAULT_VARIANT: Final = "105x120"
"""The network to ask for where none is named; a test compares it with that of `model.config`."""
RECONNECT: Final = Backoff()
CHECKPOINT_EVERY: Final = 8
"""Number of bursts from one resume token to the next."""
NOT_OPEN: Final = (
    "the stream is not open: use the client within `with Client(...) as client:` "
    "or `async with AsyncClient(...) as client:`"
)


def stream_url(url: str) -> str:
    """The websocket address for a service's http(s):// or ws(s):// address.

    Raises:
        ValueError: another kind of address.
    """
    parts = urlsplit(url)
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.netloc:
        raise ValueError(f"{url!r} is not the address of a service; expected something like http://127.0.0.1:8000")
    path = parts.path.rstrip("/")
    path = path if path.endswith(STREAM_PATH) else path + STREAM_PATH
    return urlunsplit((schemes[parts.scheme], parts.netloc, path, "", ""))


def _one_by_one(frames: Iterable[Frame | Reader]) -> Iterable[Frame | Reader]:
    """The frames.

    Raises:
        TypeError: one frame, or a path, in place of several frames.
    """
    if isinstance(frames, np.ndarray | str | Path) or callable(frames):
        raise TypeError("stream() takes several frames, such as [client.photo('photo.jpg')]; emit() takes one")
    return frames


class AsyncClient:
    """One stream to a service, as an async context manager.

    Args:
        url: address of the service.
        variant: the network to ask for.
        policy: exit policy and its parameters, see PROTOCOL.md; None: the service's default.
        progress_every: a `progress` message to the observer every n bursts; 0 for none.
        pixel_format: format of the sensor's rows: `rgb8`, `mono8`, `bayer_rggb8` or another `bayer_*`.
        timing: line and frame time of the simulated sensor.
        link: conditions of the link between sensor and service; None: a perfect link.
        clock: clock that paces the bursts; None: real time. `VirtualClock()` sends as fast as possible.
        observer: called on the client's event loop with every burst read and every answer on the current frame, and
            when the service was lost or is back (`ServiceChange`); must not block. After a lost connection some
            `progress` and `skip` come again. An error of the observer ends the stream, and the call that waits raises
            it.
        backoff: waits before new attempts to connect, after which the frame goes on; None: a lost connection ends the
            stream.
        bearer_token: token for a service that asks for one.

    A client is not safe for two tasks at once: one frame is in progress at a time.

    Raises:
        StreamError: on entry or later: the service refuses, breaks the protocol, or the connection is lost.
        ValueError: an unknown pixel format, or a bearer token that no header can carry.
        RuntimeError: the client is used before its context is entered.
    """

    def __init__(
        self,
        url: str,
        variant: str = DEFAULT_VARIANT,
        *,
        policy: Mapping[str, Any] | None = None,
        progress_every: int = 0,
        pixel_format: PixelFormat | str = PixelFormat.RGB8,
        timing: ReadoutTiming | None = None,
        link: LinkConditions | None = None,
        clock: Clock | None = None,
        observer: Observer = lambda _: None,
        backoff: Backoff | None = RECONNECT,
        bearer_token: str | None = None,
    ) -> None:
        hello = Hello(
            variant,
            None if policy is None else dict(policy),
            progress_every,
            PixelFormat(pixel_format),
            CHECKPOINT_EVERY if backoff else 0,
        )
        self._opening: AbstractAsyncContextManager[Emitter] = open_emitter(
            stream_url(url),
            hello,
            timing=timing,
            clock=clock,
            link=link,
            observer=observer,
            backoff=backoff,
            bearer_token=bearer_token,
        )
        self._opened: Emitter | None = None

    async def __aenter__(self) -> Self:
        self._opened = await self._opening.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opening.__aexit__(kind, error, trace)

    @property
    def _emitter(self) -> Emitter:
        if self._opened is None:
            raise RuntimeError(NOT_OPEN)
        return self._opened

    @property
    def geometry(self) -> SensorGeometry:
        return self._emitter.geometry

    @property
    def resumed(self) -> int:
        """Number of times that the connection was made again."""
        return self._emitter.resumed

    @property
    def idle_s(self) -> float:
        """Time after which the service closes a stream that says nothing; infinite where the service names none."""
        return float(self._emitter.welcome.limits.get("idle_s", math.inf))

    @property
    def lost(self) -> Counter[int | None]:
        """Number of lost connections for each close code; 1006: without a close frame."""
        return self._emitter.lost

    def photo(self, path: str | Path) -> Frame:
        """A photograph as a frame of the network's size."""
        return photo_frame(Path(path), self.geometry)

    async def stream(self, frames: Iterable[Frame | Reader]) -> AsyncIterator[FrameReport]:
        """Streams frames one after the other, see `emit`; a report on each once it is decided."""
        for frame in _one_by_one(frames):
            yield await self.emit(frame)

    async def emit(self, frame: Frame | Reader, start_us: float | None = None) -> FrameReport:
        """Streams one frame and waits for its decision.

        If reading fails, or the call is cancelled, the frame is given up and the next one can be emitted.

        Args:
            frame: a picture (H, W, 3) uint8 sRGB, or a `Reader` such as a `Camera`.
            start_us: start of the readout, us since the stream began; None: as the timing says.

        Raises:
            StreamError: the service refused a message, or the connection was lost.
            FrameLostError: the link lost the frame, or the service shed it.
            ValueError: a frame of another shape or dtype.
            TypeError: neither a picture nor a `Reader`.
        """
        if not isinstance(frame, np.ndarray) and not callable(frame):
            raise TypeError(f"a frame is an array, as `client.photo('photo.jpg')` makes one, not {frame!r:.80}")
        return await self._emitter.emit(frame, start_us)

    async def keep_open(self) -> None:
        """Keeps the stream open while there is no frame to send: the service closes a stream that says nothing.

        To be called between frames, more often than `idle_s`.

        Raises:
            StreamError: the service refused a message, or the connection was lost.
        """
        await self._emitter.keep_open()

    async def end(self) -> Summary:
        """Ends the stream; the service's account of it."""
        return await self._emitter.end()


class Client:
    """`AsyncClient` for programs without an event loop; the same arguments and errors."""

    def __init__(
        self,
        url: str,
        variant: str = DEFAULT_VARIANT,
        *,
        policy: Mapping[str, Any] | None = None,
        progress_every: int = 0,
        pixel_format: PixelFormat | str = PixelFormat.RGB8,
        timing: ReadoutTiming | None = None,
        link: LinkConditions | None = None,
        clock: Clock | None = None,
        observer: Observer = lambda _: None,
        backoff: Backoff | None = RECONNECT,
        bearer_token: str | None = None,
    ) -> None:
        self._client = AsyncClient(
            url,
            variant,
            policy=policy,
            progress_every=progress_every,
            pixel_format=pixel_format,
            timing=timing,
            link=link,
            clock=clock,
            observer=observer,
            backoff=backoff,
            bearer_token=bearer_token,
        )
        self._starting: AbstractContextManager[BlockingPortal] = start_blocking_portal()
        self._started: BlockingPortal | None = None
        self._opening: AbstractContextManager[AsyncClient]

    def __enter__(self) -> Self:
        self._started = self._starting.__enter__()
        self._opening = self._started.wrap_async_context_manager(self._client)
        try:
            self._opening.__enter__()
        except BaseException as error:
            self._starting.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._opening.__exit__(kind, error, trace)
        finally:
            self._starting.__exit__(kind, error, trace)

    @property
    def _portal(self) -> BlockingPortal:
        if self._started is None:
            raise RuntimeError(NOT_OPEN)
        return self._started

    @property
    def geometry(self) -> SensorGeometry:
        return self._client.geometry

    @property
    def resumed(self) -> int:
        """Number of times that the connection was made again."""
        return self._client.resumed

    @property
    def idle_s(self) -> float:
        """See `AsyncClient.idle_s`."""
        return self._client.idle_s

    @property
    def lost(self) -> Counter[int | None]:
        """Number of lost connections for each close code; 1006: without a close frame."""
        return self._client.lost

    def photo(self, path: str | Path) -> Frame:
        """A photograph as a frame of the network's size."""
        return self._client.photo(path)

    def stream(self, frames: Iterable[Frame | Reader]) -> Iterator[FrameReport]:
        """Streams frames one after the other, see `emit`; a report on each once it is decided."""
        for frame in _one_by_one(frames):
            yield self.emit(frame)

    def emit(self, frame: Frame | Reader, start_us: float | None = None) -> FrameReport:
        """Streams one frame, see `AsyncClient.emit`."""
        return self._portal.call(self._client.emit, frame, start_us)

    def keep_open(self) -> None:
        """Keeps the stream open, see `AsyncClient.keep_open`."""
        self._portal.call(self._client.keep_open)

    def end(self) -> Summary:
        """Ends the stream; the service's account of it."""
        return self._portal.call(self._client.end)
