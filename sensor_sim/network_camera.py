"""Cameras that PyAV (extra `video`) connects to: RTSP, HTTP (MJPEG, HLS and others) and devices of Video4Linux.

Nothing secret leaves this module: names and errors hold neither name and password nor the query of an address.
"""

import gc
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from sensor_sim.live import LiveError, LivePicture
from sensor_sim.video import NAMES_AS_THEY_ARE, NEEDS_PYAV, Orientation, upright
from sensor_sim.window import MOST_PX

SCHEMES: Final = ("rtsp", "rtsps", "http", "https")
ENCRYPTED: Final = ("rtsps", "https")
DEVICE_FORMAT: Final = "v4l2"
NOT_BLOCKING: Final = "+4"
"""AVFMT_FLAG_NONBLOCK of avformat.h: a device that hangs holds up no thread."""
DEFAULT_TIMEOUT_S: Final = 10.0
PLAYLIST_PATIENCE: Final = 3
"""Timeouts without a picture until a camera whose pictures come in segments of seconds (HLS) counts as lost."""
PROTOCOLS: Final = "rtsp,rtp,udp,tcp,tls,http,https,httpproxy,crypto,data"
"""Protocols that an address, and a playlist behind the address, may use: no files of this machine."""
LOOK_US: Final = "1000000"
"""Longest look at a stream before its first picture, microseconds of its own time."""
POLL_S: Final = 0.005
"""Wait of a device that has no new picture."""
LATE_S: Final = 1.0
"""A film behind an address that is later than this is shown from here on, not caught up with."""
CREDENTIALS_HINT: Final = "set RASCANET_CAMERA_USER and RASCANET_CAMERA_PASSWORD"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Name and password for a camera; not shown by `repr`."""

    user: str = field(repr=False)
    password: str = field(repr=False)


class CameraAddress:
    """Place of a camera: an address of `SCHEMES`, or a device such as /dev/video0.

    Args:
        text: the address, without name and password.
        credentials: name and password for the camera.

    Attributes:
        name: the place without anything secret.

    Raises:
        LiveError: no address of a camera, or one that holds a name or password; the message shows neither.
    """

    def __init__(self, text: str, credentials: Credentials | None = None) -> None:
        self.device = text.startswith("/")
        if self.device:
            self.name = self._place = text
            return
        try:
            parts = urlsplit(text)
            host, port, secret = parts.hostname, parts.port, parts.username is not None
        except ValueError:
            raise LiveError("the camera's address can't be read; expected something like rtsp://camera/live") from None
        if parts.scheme not in SCHEMES or not host:
            raise LiveError(f"a camera has an address such as rtsp://camera/live ({', '.join(SCHEMES)})")
        where = f"[{host}]" if ":" in host else host
        where = f"{where}:{port}" if port else where
        # Some cameras take a password in the path, such as /user=admin&password=...
        self.name = urlunsplit((parts.scheme, where, parts.path.partition("=")[0], "", ""))
        if secret:
            raise LiveError(
                f"{self.name}: the address holds a name or password, which other users can see; {CREDENTIALS_HINT}"
            )
        if credentials:
            where = f"{quote(credentials.user, safe='')}:{quote(credentials.password, safe='')}@{where}"
        self._place = urlunsplit((parts.scheme, where, parts.path, parts.query, ""))

    @property
    def playlist(self) -> bool:
        """True where pictures come in segments of seconds."""
        return urlsplit(self._place).path.endswith(".m3u8")

    def open(self, timeout_s: float, trusted: Path | None) -> Any:
        """Returns PyAV's container.

        Args:
            timeout_s: longest wait for an answer.
            trusted: file of the certificates (PEM) that an encrypted connection trusts; None: those of the system.

        Raises:
            ImportError: PyAV is not installed.
            FFmpegError, OSError: it can't be opened.
        """
        import av

        if self.device:
            options = {"fflags": NOT_BLOCKING}
            return av.open(
                self._place, format=DEVICE_FORMAT, options=options, timeout=timeout_s, metadata_errors=NAMES_AS_THEY_ARE
            )
        options = {"protocol_whitelist": PROTOCOLS}
        if self._place.startswith("rtsp"):
            options |= {"rtsp_flags": "prefer_tcp", "allowed_media_types": "video", "fflags": "nobuffer"}
            options |= {"analyzeduration": LOOK_US}
        if urlsplit(self._place).scheme in ENCRYPTED:
            authorities = trusted or ssl.get_default_verify_paths().cafile
            options |= {"tls_verify": "1"} | ({"ca_file": str(authorities)} if authorities else {})
        return av.open(self._place, options=options, timeout=timeout_s, metadata_errors=NAMES_AS_THEY_ARE)


class NetworkCamera:
    """Connects to a camera; a `Connect`.

    Args:
        address: place of the camera.
        timeout_s: longest wait for an answer or the next picture, above 0.
        trusted: see `CameraAddress.open`.
        now_s: the wall clock, seconds since 1970.

    Raises:
        LiveError: PyAV is not installed.
    """

    def __init__(
        self,
        address: CameraAddress,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        trusted: Path | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        try:
            import av
        except ImportError:
            raise LiveError(NEEDS_PYAV) from None
        self._errors = av.error
        self._address, self._trusted, self._now_s = address, trusted, now_s
        self._timeout_s = timeout_s * (PLAYLIST_PATIENCE if address.playlist else 1)

    def __call__(self, stop: threading.Event) -> Iterator[LivePicture]:
        """See `Connect`."""
        try:
            orientation = Orientation()
            with (
                self._address.open(self._timeout_s, self._trusted) as container,
                closing(self._decode(container, stop)) as pictures,
            ):
                if not container.streams.video:
                    raise LiveError("there are no pictures in what it sends")
                pace = _Pace() if container.format.name == "hls" or container.duration else None
                for picture in pictures:
                    if picture.width * picture.height > MOST_PX:
                        raise LiveError(
                            f"its pictures of {picture.width} x {picture.height} pixels are larger than the "
                            f"{MOST_PX} pixels that are taken"
                        )
                    if pace and picture.time is not None and stop.wait(pace.wait_s(picture.time, time.monotonic())):
                        return
                    yield LivePicture(self._now_s(), partial(upright, picture, orientation.of(picture)))
        except (self._errors.FFmpegError, OSError) as error:
            raise LiveError(self._reason(error)) from None  # the error names the address
        finally:
            gc.collect()  # PyAV's containers and decoders refer to each other: without this they pile up

    def _decode(self, container: Any, stop: threading.Event) -> Generator[Any, None, None]:
        """Yields pictures; packets that can't be decoded, as after a loss on the way, are skipped.

        Raises:
            LiveError: nothing that can be decoded came for too long.
        """
        packets = container.demux(video=0)
        heard_s = time.monotonic()
        try:
            while not stop.is_set():
                if time.monotonic() - heard_s > self._timeout_s:
                    raise LiveError(f"no picture came for {self._timeout_s:g} s")
                try:
                    pictures = self._next(packets)
                except self._errors.BlockingIOError:  # a device between two pictures
                    packets = container.demux(video=0)
                    stop.wait(POLL_S)
                    continue
                if pictures is None:
                    return
                for picture in pictures:
                    heard_s = time.monotonic()
                    yield picture
        finally:
            packets.close()

    def _next(self, packets: Iterator[Any]) -> list[Any] | None:
        """The pictures of the next packet; None after the last.

        A device's packets and pictures lie in memory of the device, which goes when it is closed: they end here, and
        their pixels go on in memory of our own.
        """
        packet = next(packets, None)
        if packet is None:
            return None
        try:
            pictures: list[Any] = packet.decode()
        except (self._errors.FFmpegError, OSError):
            return []
        return [self._copy(picture) for picture in pictures] if self._address.device else pictures

    def _copy(self, picture: Any) -> Any:
        import av

        return av.VideoFrame.from_ndarray(picture.to_ndarray(format="rgb24"), format="rgb24")

    def _reason(self, error: Exception) -> str:
        if isinstance(error, (self._errors.ExitError, TimeoutError)):
            return f"nothing came for {self._timeout_s:g} s"
        if isinstance(error, (self._errors.HTTPUnauthorizedError, self._errors.HTTPForbiddenError)):
            return f"it refuses the name or password; {CREDENTIALS_HINT}"
        return (getattr(error, "strerror", None) or type(error).__name__).lower()


class _Pace:
    """Times at which pictures are shown that come faster than they were taken, such as those of a playlist."""

    def __init__(self) -> None:
        self._origin_s: float | None = None

    def wait_s(self, picture_s: float, now_s: float) -> float:
        """Wait until the picture of a time is due; where it is too late, or far ahead, time begins anew with it."""
        if self._origin_s is None or not -LATE_S < self._origin_s + picture_s - now_s < DEFAULT_TIMEOUT_S:
            self._origin_s = now_s - picture_s
        return max(0.0, self._origin_s + picture_s - now_s)
