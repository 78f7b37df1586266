"""Decoders in processes of their own, one for each thread that asks.

Pillow's decoders of WebP and AVIF keep the interpreter's lock: for 0.4 s at 50 million pixels, against 28 ms with a
process, in the same run. And no thread can be stopped.
"""

import logging
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from time import monotonic
from typing import Final

import numpy as np

from model.picture import Frame, PictureLimits
from server.errors import ServiceError, draining, fault_of_ours
from server.pictures.decode import decode_image
from server.pictures.decoder_process import ANSWER, JOB, READY, receive

log = logging.getLogger(__name__)

SHORTEST_BYTES: Final = 26
"""Size of the smallest picture file (the oldest BMP, without a pixel); a shorter file is refused without a decoder."""


@dataclass(frozen=True, slots=True)
class _Decoder:
    process: "subprocess.Popen[bytes]"
    connection: socket.socket

    def end(self) -> None:
        """Kills the process, even while it decodes."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


def _out_of_time() -> ServiceError:
    """One sentence, whether a process was late to start or the picture takes too long: the client can't tell."""
    return ServiceError(
        "out_of_time",
        "the picture was not decoded within the time of a request; try again later, or send a smaller one",
    )


class DecoderPool:
    """Decodes pictures in processes, where they delay no stream. A process starts when a thread first needs it.

    Processes that started with the service would hold memory, about 35 MB each, in services that get no pictures.
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._every: set[_Decoder] = set()
        self._lock = threading.Lock()
        self._closed = False

    def prepare(self, content: bytes, deadline: float) -> None:
        """Starts a process for the calling thread, where it has none and a picture needs one; waits until it is ready.

        Args:
            content: bytes of the picture file.
            deadline: time at which the process is given up, on the monotonic clock (seconds).

        Raises:
            ServiceError: `out_of_time`, `draining`, `internal`.
        """
        if len(content) >= SHORTEST_BYTES:
            self._decoder(deadline)

    def decode(self, content: bytes, height: int, width: int, limits: PictureLimits, deadline: float) -> Frame:
        """Decodes a picture file as a frame (height, width, 3) uint8; blocks the calling thread meanwhile.

        Args:
            content: bytes of the file.
            height, width: size of the frame (px).
            limits: the largest picture that is read.
            deadline: time at which the picture is given up, on the monotonic clock (seconds).

        Raises:
            ServiceError: `image_too_large`, `image_too_many_pixels`, `unreadable_image`; those of `prepare`.
        """
        if len(content) < SHORTEST_BYTES:
            return decode_image(content, height, width, limits)
        if len(content) > limits.most_bytes:  # it need not travel
            content = content[: limits.most_bytes + 1]
        decoder = self._decoder(deadline)
        job = JOB.pack(height, width, limits.most_bytes, limits.most_px, limits.most_side_px, len(content))
        try:
            decoder.connection.settimeout(max(0.001, deadline - monotonic()))
            decoder.connection.sendall(job)
            decoder.connection.sendall(content)
            decoded, size = ANSWER.unpack(receive(decoder.connection, ANSWER.size))
            found = receive(decoder.connection, size)
        except TimeoutError:
            self._drop(decoder)
            raise _out_of_time() from None
        except (EOFError, OSError):  # it died of this picture, or for want of memory
            self._drop(decoder)
            raise ServiceError("unreadable_image", "the picture broke its decoder") from None
        if decoded:
            return np.frombuffer(found, np.uint8).reshape(height, width, 3)
        fault, _, message = found.decode().partition("\n")
        raise ServiceError(fault, message)

    def close(self) -> None:
        """Kills every process; no picture is decoded after this call."""
        with self._lock:
            self._closed = True
            every, self._every = self._every, set()
        for decoder in every:
            decoder.end()

    def _decoder(self, deadline: float) -> _Decoder:
        """The process of this thread, which can decode; see `prepare`."""
        decoder: _Decoder | None = getattr(self._mine, "decoder", None)
        if decoder is not None:
            return decoder
        try:
            decoder = self._started()
        except OSError as error:  # no process, descriptor or memory is left
            log.error("no decoder of pictures can be started: %s", error.strerror)
            raise fault_of_ours("request") from None
        with self._lock:
            closed = self._closed
            if not closed:
                self._every.add(decoder)
        if closed:
            decoder.end()
            raise draining()
        try:
            decoder.connection.settimeout(max(0.001, deadline - monotonic()))
            receive(decoder.connection, len(READY))
        except TimeoutError:
            self._drop(decoder)
            raise _out_of_time() from None
        except (EOFError, OSError):
            self._drop(decoder)
            if self._closed:
                raise draining() from None
            log.error("a decoder of pictures ended at its start with status %s", decoder.process.returncode)
            raise fault_of_ours("request") from None
        self._mine.decoder = decoder
        return decoder

    @staticmethod
    def _started() -> _Decoder:
        """A new process, which is not ready yet.

        Raises:
            OSError: the system has no room for it.
        """
        ours, its = socket.socketpair()
        with its:
            command = [sys.executable, "-m", "server.pictures.decoder_process", str(its.fileno())]
            secretless = {name: value for name, value in os.environ.items() if not name.startswith("RASCANET_")}
            nowhere = subprocess.DEVNULL  # the log is the service's, and a pipe that nobody reads would stop a decoder
            try:
                process = subprocess.Popen(
                    command, pass_fds=[its.fileno()], stdin=nowhere, stdout=nowhere, stderr=nowhere, env=secretless
                )
            except OSError:
                ours.close()
                raise
        return _Decoder(process, ours)

    def _drop(self, decoder: _Decoder) -> None:
        """Forgets a process that can't be used any more; the next picture gets a new one."""
        self._mine.decoder = None
        with self._lock:
            self._every.discard(decoder)
        decoder.end()
