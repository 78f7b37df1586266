"""Cameras of the tests' own, on loopback: RTSP, and HTTP with MJPEG or a playlist (HLS).

Debian has no RTSP server that a test could start by itself: ffmpeg only calls one, and GStreamer's is a library for
the system's Python. A camera of ours can also be frozen, killed and asked for a password.

    python -m tests.cameras --port 8554 --pictures person.png,empty.png --each-s 5     for tests that kill a process
"""

import argparse
import base64
import hashlib
import io
import re
import select
import socket
import ssl
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

Picture = npt.NDArray[np.uint8]
TS_BYTES, TS_PACKETS = 188, 7
BOUNDARY: Final = "boundary"
SESSION: Final = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:video\r\n"
REALM, NONCE = "camera", "0123456789abcdef"


def show_in_turn(pictures: list[Picture], each_s: float) -> Callable[[float], Picture]:
    """Returns what shows one picture after the other, over and over, each for a time."""
    return lambda since_s: pictures[int(since_s / each_s) % len(pictures)]


class _Sink(io.RawIOBase):
    """Keeps what a muxer writes until it is taken."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._kept += content
        return len(content)

    def take(self) -> bytes:
        content = bytes(self._kept)
        self._kept.clear()
        return content


def transport_stream(pictures: Iterator[Picture], rate: int, *, codec: str = "mpeg2video") -> Iterator[bytes]:
    """Yields an MPEG transport stream, the bytes of a picture at a time; each fourth picture stands for itself."""
    sink = _Sink()
    with av.open(sink, "w", format="mpegts") as container:
        stream: Any = None
        for number, pixels in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(codec, rate=rate, options={"g": "4", "bf": "0", "b": "4000000"})
                stream.height, stream.width, stream.pix_fmt = *pixels.shape[:2], "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
            yield sink.take()


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    head: str = ""


class Camera(ABC):
    """A server that shows pictures to whoever connects, each connection in a thread, as a context manager.

    Args:
        show: returns the picture (H, W, 3) at a time since the camera was made, s.
        rate: pictures a second.
        user, password: asked for, where given.
        tls: speaks TLS, where given.
    """

    scheme = ""
    path = "/live"

    def __init__(
        self,
        show: Callable[[float], Picture],
        rate: int = 10,
        *,
        user: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self._show, self._rate, self._user, self._password, self._tls = show, rate, user, password, tls
        self._began_s = time.monotonic()
        self._going = threading.Event()
        self._going.set()
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = port
        self.connections = 0

    @property
    def url(self) -> str:
        scheme = f"{self.scheme}s" if self._tls else self.scheme
        return f"{scheme}://127.0.0.1:{self.port}{self.path}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Listens, on the port of before if there was one."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._going.set()
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def kill(self) -> None:
        """Ends as a camera that loses its power: connections are reset, and nobody listens."""
        listener, self._listener = self._listener, None
        if listener:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._going.set()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Sends nothing more, and keeps every connection open."""
        self._going.clear()

    def thaw(self) -> None:
        """Goes on after `freeze`."""
        self._going.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        try:
            with suppress(OSError, ValueError), connection:
                self.connections += 1
                talking = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
                self._connections.add(talking)
                try:
                    self._talk(talking)
                finally:
                    self._connections.discard(talking)
                    if talking is not connection:
                        talking.close()
        finally:
            self._connections.discard(connection)

    @abstractmethod
    def _talk(self, connection: socket.socket) -> None:
        """Answers one connection, until it or the camera ends."""

    def _pictures(self) -> Iterator[Picture]:
        """Yields the pictures of a connection, each when it is due, for as long as the camera runs."""
        due_s = time.monotonic()
        while self._listener:
            self._going.wait()
            due_s = max(due_s + 1 / self._rate, time.monotonic() - 1)
            time.sleep(max(0.0, due_s - time.monotonic()))
            yield self._show(time.monotonic() - self._began_s)

    def _refused(self, method: str, headers: dict[str, str]) -> bool:
        """True where the right name and password don't come with a request; Digest (RFC 7616) with MD5, or Basic."""
        if not self._user:
            return False
        given = headers.get("authorization", "")
        plain = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        if given == f"Basic {plain}":
            return False
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', given))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        first, second = md5(f"{self._user}:{REALM}:{self._password}"), md5(f"{method}:{fields.get('uri', '')}")
        return fields.get("response") != md5(f"{first}:{NONCE}:{second}")


def _request(file: Any) -> tuple[str, dict[str, str]]:
    """The first line and the headers of a request; frames of RTCP (RFC 2326, 10.12) are passed over.

    Raises:
        ValueError: the connection ended.
    """
    first = file.read(1)
    while first == b"$":
        file.read(struct.unpack(">BH", file.read(3))[1])
        first = file.read(1)
    line = (first + file.readline()).decode("latin-1").strip()
    if not line:
        raise ValueError("the connection ended")
    headers = {}
    while field := file.readline().decode("latin-1").strip():
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    return line, headers


class RtspCamera(Camera):
    """RTSP (RFC 2326) over TCP, with an MPEG transport stream in RTP (RFC 2250)."""

    scheme = "rtsp"

    def _talk(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        while True:
            line, headers = _request(file)
            method = line.partition(" ")[0]
            answer, body = ["Session: 1"], ""
            if self._refused(method, headers):
                challenge = f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}"'
                self._answer(connection, "401 Unauthorized", headers, [challenge])
                continue
            if method == "OPTIONS":
                answer = ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"]
            elif method == "DESCRIBE":
                body = SESSION
                answer = ["Content-Type: application/sdp", f"Content-Base: {self.url}/"]
            elif method == "SETUP":
                if "interleaved" not in headers.get("transport", ""):
                    self._answer(connection, "461 Unsupported Transport", headers, [])
                    continue
                answer.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            self._answer(connection, "200 OK", headers, answer, body)
            if method == "TEARDOWN":
                return
            if method == "PLAY":
                threading.Thread(target=self._play, args=[connection], daemon=True).start()

    def _answer(
        self, connection: socket.socket, status: str, asked: dict[str, str], headers: list[str], body: str = ""
    ) -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {asked.get('cseq', '0')}", *headers, f"Content-Length: {len(body)}"]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1"))

    def _play(self, connection: socket.socket) -> None:
        number = 0
        with suppress(OSError):
            for content in transport_stream(self._pictures(), self._rate):
                stamp = int(time.monotonic() * 90_000) % 2**32
                for place in range(0, len(content), TS_BYTES * TS_PACKETS):
                    part = content[place : place + TS_BYTES * TS_PACKETS]
                    packet = struct.pack(">BBHII", 0x80, 33, number % 65536, stamp, 7) + part
                    connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                    number += 1


class MjpegCamera(Camera):
    """HTTP with an endless multipart answer of JPEG pictures, as most cameras have beside RTSP."""

    scheme = "http"
    path = "/video"

    def _talk(self, connection: socket.socket) -> None:
        line, headers = _request(connection.makefile("rb"))
        if self._refused(line.partition(" ")[0], headers):
            connection.sendall(
                f'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}"\r\n'
                "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            return
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary={BOUNDARY}\r\n\r\n".encode()
        )
        for pixels in self._pictures():
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=95)
            content = file.getvalue()
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
            connection.sendall(head.encode() + content + b"\r\n")


class PlaylistCamera(Camera):
    """HTTP with a live playlist (HLS, RFC 8216) whose segments last a second each."""

    scheme = "http"
    path = "/live.m3u8"
    KEPT = 5

    def __init__(self, show: Callable[[float], Picture], rate: int = 10, **options: Any) -> None:
        super().__init__(show, rate, **options)
        self.segments: dict[int, bytes] = {}
        self._ready = threading.Event()

    def start(self) -> None:
        super().start()
        threading.Thread(target=self._make_segments, daemon=True).start()
        self._ready.wait(20)

    def _make_segments(self) -> None:
        segment = bytearray()
        for number, content in enumerate(transport_stream(self._pictures(), self._rate), start=1):
            segment += content
            if number % self._rate == 0:
                self.segments[number // self._rate] = bytes(segment)
                self.segments.pop(number // self._rate - self.KEPT, None)
                segment.clear()
                if len(self.segments) == 3:
                    self._ready.set()

    def _playlist(self, kept: list[int]) -> list[str]:
        return [part for number in kept for part in ("#EXTINF:1.0,", f"{number}.ts")]

    def _talk(self, connection: socket.socket) -> None:
        file = connection.makefile("rb")
        while True:
            line, _ = _request(file)
            path = line.split(" ")[1]
            if path == self.path:
                kept = sorted(self.segments)
                lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{kept[0]}"]
                lines += self._playlist(kept)
                content, kind = "\n".join(lines).encode() + b"\n", "application/vnd.apple.mpegurl"
            else:
                content, kind = self.segments.get(int(Path(path).stem), b""), "video/mp2t"
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
            connection.sendall(head.encode() + content)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pictures", required=True)
    parser.add_argument("--each-s", type=float, default=5.0)
    parser.add_argument("--rate", type=int, default=10)
    options = parser.parse_args()
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in options.pictures.split(",")]
    with RtspCamera(show_in_turn(pictures, options.each_s), options.rate, port=options.port):
        select.select([], [], [])


if __name__ == "__main__":
    main()
