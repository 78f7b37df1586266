"""A process that decodes pictures for a service: `python -m server.pictures.decoder_process FD`.

Some of Pillow's decoders keep the interpreter's lock while they work (WebP and AVIF for half a second, at 50 million
pixels), and no decoder can be stopped. A picture in a process of its own delays no stream, and can be given up.

The process sends `READY` to the socket with the file descriptor FD once it has loaded everything that it needs. Then
it reads jobs from the socket until the socket is closed: a `JOB` header, then the file. The answer is an `ANSWER`
header, then the frame's bytes, or the fault and the message with a line end between.
"""

import os
import signal
import socket
import struct
import sys
import warnings
from typing import Final

from model.picture import PictureError, PictureLimits, decode_frame, load_decoders

READY: Final = b"\x01"
"""First byte of the process."""

JOB: Final = struct.Struct("<6Q")
"""Height, width, `most_bytes`, `most_px`, `most_side_px`, bytes of the file; `most_scans` is the usual one."""

ANSWER: Final = struct.Struct("<?Q")
"""True if a frame follows, false for a fault; number of bytes that follow."""

NICENESS: Final = 5
"""Niceness of the process, since streams come first."""


def receive(connection: socket.socket, size: int) -> bytes:
    """Receives exactly `size` bytes.

    Raises:
        EOFError: the other side has closed the socket.
        TimeoutError: the socket's timeout has passed.
    """
    found = bytearray(size)
    view, place = memoryview(found), 0
    while place < size:
        came = connection.recv_into(view[place:])
        if not came:
            raise EOFError
        place += came
    return bytes(found)


def answer(job: bytes, content: bytes) -> bytes:
    """Decodes one picture.

    Args:
        job: a `JOB` header.
        content: the file.

    Returns:
        The `ANSWER` header and what follows it.
    """
    height, width, most_bytes, most_px, most_side_px, _ = JOB.unpack(job)
    try:
        frame = decode_frame(content, height, width, PictureLimits(most_bytes, most_px, most_side_px))
    except PictureError as error:
        refusal = f"{error.fault}\n{error}".encode("utf-8", "backslashreplace")
        return ANSWER.pack(False, len(refusal)) + refusal
    return ANSWER.pack(True, frame.nbytes) + frame.tobytes()


def serve(connection: socket.socket) -> None:
    """Says that it is ready, and decodes jobs until the other side closes the socket."""
    load_decoders()
    try:
        connection.sendall(READY)
        while True:
            job = receive(connection, JOB.size)
            content = receive(connection, JOB.unpack(job)[-1])
            connection.sendall(answer(job, content))
    except (EOFError, ConnectionError):
        return


if __name__ == "__main__":
    # Pillow warns of sizes, which the limits bound, and of EXIF, which doesn't matter here.
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal it goes to the whole group; the service decides
    os.nice(NICENESS)
    serve(socket.socket(fileno=int(sys.argv[1])))
