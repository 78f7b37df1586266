"""Places where bytes of strangers come in: what each may answer to any bytes, and well-formed bytes to begin with.

A target fails on an exception without a type of ours, and on every answer that says the fault is the service's.
"""

import asyncio
import base64
import hmac
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import h11
import numpy as np

from model.certificate import Certificate, CertificateError
from model.checkpoint import WEIGHTS_FOLDER, CheckpointError, save_checkpoint
from model.config import DEFAULT_VARIANT
from model.integer.checkpoint import save_integer_checkpoint
from model.picture import FORMATS, PictureError, PictureLimits, decode_frame
from model.runtime import load_any_checkpoint
from sensor_sim.burst import SensorGeometry
from sensor_sim.readout import ReadoutTiming, read_bursts
from sensor_sim.recording import Recorder, Recording, RecordingError
from sensor_sim.wire import Abandon, End, Hello, Message, Resume, Rows, Sync, WireError, decode, encode
from server.errors import REFUSALS, ServiceError
from server.pictures.form import FormReader
from server.settings import Settings
from server.tensors.codec import TensorSpec, read_tensors
from tests.fuzz.subjects import KEY, MODELS, checkpoints, session
from tests.networks import SMALL, random_checkpoint, random_integer_network
from tests.picture_files import picture
from tests.server.connections.connected import Client, FakeTransport, hello
from tests.server.stream.ways import UPGRADE, Connection, VirtualLoop, byte_by_byte, frame, in_fragments, new_streams
from tests.vectors.make_wire import MESSAGES

ACCEPTED = "accepted"
LARGEST = PictureLimits(most_bytes=100_000, most_px=1_000_000)
PATIENCE_S = 1000.0
"""Longer than any connection may last."""
TAKES = TensorSpec("frames", "UINT8", (-1, *SMALL.frame_shape))
MEMORY = Path("/dev/shm")
FOLDER = TemporaryDirectory(prefix="rascanet-fuzz-", dir=MEMORY if MEMORY.is_dir() else None)
FILE, SEED = Path(FOLDER.name) / "found", Path(FOLDER.name) / "seed"

Take = Callable[[bytes], str]


@dataclass(frozen=True)
class Target:
    """A place where bytes come in.

    Attributes:
        take: gives the place some bytes; returns the outcome: `ACCEPTED`, or the kind of refusal.
        seeds: well-formed inputs.
        cost: how many times as long as a message an input takes, roughly.
    """

    take: Take
    seeds: Callable[[], list[bytes]]
    cost: int = 1


def _refusal(error: ServiceError | WireError) -> str:
    assert REFUSALS[error.code].close_code != 1011, error
    assert REFUSALS[error.code].http_status != 500, error
    return error.code


def _message(data: bytes) -> str:
    """The first byte says whether the others come as text."""
    try:
        decode(data[1:].decode(errors="replace") if data[:1] == b"t" else data[1:])
    except WireError as error:
        return _refusal(error)
    return ACCEPTED


def _messages() -> list[bytes]:
    said = map(encode, MESSAGES.values())
    return [b"t" + data.encode() if isinstance(data, str) else b"b" + data for data in said]


def _token(content: bytes) -> str:
    """Signed contents, or nothing but the check of the signature would be reached; and the same unsigned."""
    signed = base64.urlsafe_b64encode(hmac.digest(KEY, content, "sha256") + content).decode()
    outcome = ACCEPTED
    for text in (content.decode("latin-1"), signed):
        try:
            session().receive(Resume(text))
            outcome = ACCEPTED
        except ServiceError as error:
            outcome = _refusal(error)
    return outcome


def _tokens() -> list[bytes]:
    opened = session()
    opened.receive(Hello(SMALL.name, checkpoint_every=1))
    return [base64.urlsafe_b64decode(text)[32:] for text in (opened.token(), *checkpoints())]


_LOOP = VirtualLoop()
_STREAMS = new_streams(MODELS, _LOOP, credit_bursts=6, message_bursts=4)


def _stream(data: bytes) -> str:
    """Bytes over a connection: cut after the first byte's number of bytes, after an upgrade if the number is odd."""
    if not data:
        return ACCEPTED
    connection = Connection(_STREAMS, _LOOP)
    if data[0] % 2:
        connection.opened()
    piece, place = data[0] // 2 or len(data), 1
    while place < len(data) and connection.transport.ended is None:
        connection.receive(data[place : place + piece])
        place += piece
    _LOOP.run(PATIENCE_S)
    assert connection.transport.ended is not None, "silence ends a connection"
    connection.lose()
    return _said_by_stream(connection, upgraded=bool(data[0] % 2))


def _said_by_stream(connection: Connection, *, upgraded: bool) -> str:
    if not upgraded and not connection.transport.written.startswith(b"HTTP/1.1 101 "):
        status = connection.transport.written[9:12]
        assert status[:1] in (b"4", b"") or status == b"503", connection.transport.written
        return f"refused {status.decode()}"
    if not upgraded:
        return "upgraded"
    texts = [bytes(each.data).decode() for each in connection.frames() if each.opcode == 1]
    said = [decode(text) for text in texts]
    codes = [message.code for message in said if type(message).__name__ == "Error"]  # type: ignore[union-attr]
    assert "internal" not in codes, said
    return codes[0] if codes else ACCEPTED


def _streams() -> list[bytes]:
    rows = np.zeros((5 * SMALL.bursts_per_frame, SMALL.width, 3), np.uint8)
    said: list[Message] = [
        Hello(SMALL.name, checkpoint_every=2),
        Rows(0, 0, 2, 0, rows[:10]),
        Sync(7),
        Abandon(0),
        End(),
    ]
    whole = b"".join(frame(1 if isinstance(text := encode(each), str) else 2, _bytes(text)) for each in said)
    parts = b"".join(b"".join(in_fragments(encode(each))) for each in said)
    pieces = b"".join(byte_by_byte(encode(said[0]))) + frame(9, b"ping") + frame(8, b"\x03\xe8")
    return [b"\x01" + whole, b"\x15" + parts, b"\x03" + pieces, b"\x00" + UPGRADE + whole, b"\x20" + UPGRADE]


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


_RUNNER = asyncio.Runner()


@cache
def _client() -> Client:
    async def made() -> Client:
        return Client(hello, Settings(request_bytes=4096), admitted=False)

    return _RUNNER.run(made())


def _connection(data: bytes) -> str:
    """Bytes over an HTTP connection, in pieces as for a stream; then silence until all deadlines have passed."""

    async def converse() -> None:
        piece, place = data[0] or len(data), 1
        while place < len(data) and not client.transport.is_closing():
            await client.send(data[place : place + piece])
            place += piece
        for _ in range(8):
            client.wait(PATIENCE_S)

    if not data:
        return ACCEPTED
    client = _client()
    client.transport = FakeTransport()
    client.connection = client.another()
    statuses: list[int] = []
    transmit = client.connection.transmit

    def noted(*events: h11.Event) -> None:
        statuses.extend(each.status_code for each in events if isinstance(each, h11.Response))
        transmit(*events)

    client.connection.transmit = noted  # type: ignore[method-assign]  # a status line may stand in a body too
    client.connection.connection_made(client.transport)
    _RUNNER.run(converse())
    assert client.transport.is_closing(), "silence ends a connection"
    assert all(status < 500 for status in statuses), client.transport.written
    client.connection.connection_lost(None)
    assert not len(client.registry)
    return "/".join(map(str, sorted(set(statuses)))) or "no answer"


def _requests() -> list[bytes]:
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    post = b"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"
    return [b"\x00" + get + post + get, b"\x07" + chunked + get, b"\x00" + UPGRADE, b"\x40" + post]


def _picture(data: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of what the limits bound
        try:
            found = decode_frame(data, SMALL.height, SMALL.width, LARGEST)
        except PictureError as error:
            return error.fault
    assert found.shape == SMALL.frame_shape
    assert found.dtype == np.uint8
    return ACCEPTED


def _pictures() -> list[bytes]:
    size = (20, 16)
    found = [picture(0, size, each.name) for each in FORMATS]
    return [
        *found,
        picture(1, size, "JPEG", progressive=True),
        picture(2, size, "PNG", "P"),
        picture(3, size, "TIFF", "L"),
    ]


def _form(data: bytes) -> str:
    try:
        reader = FormReader("multipart/form-data; boundary=b", ["policy", "top"], 3, 1000)
        for place in range(0, len(data), 7):
            reader.take(data[place : place + 7])
        uploads, fields = reader.finish()
    except ServiceError as error:
        return _refusal(error)
    assert len(uploads) <= 3
    assert all(len(each.content) <= 1001 for each in uploads)
    assert set(fields) <= {"policy", "top"}
    return ACCEPTED


def _forms() -> list[bytes]:
    file = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n\x89PNG\r\n'
    extended = b"--b\r\nContent-Disposition: form-data; name=files; filename*=utf-8''%e2.png\r\n\r\nx\r\n"
    option = b'--b\r\nContent-Disposition: form-data; name="policy"\r\nContent-Type: text/plain\r\n\r\nnever\r\n'
    return [file + option + b"--b--\r\n", extended + file + b"--b--"]


def _tensor(data: bytes) -> str:
    """The first byte says where a header of JSON ends; 0: the body is JSON alone, 255: the tensor alone."""
    if not data:
        return ACCEPTED
    length = {0: None, 255: "0"}.get(data[0], str(data[0]))
    try:
        found = read_tensors(data[1:], length, TAKES, ("p_person", "logits"), {"policy"})
    except ServiceError as error:
        return _refusal(error)
    assert found.array.dtype == np.uint8
    assert found.array.shape[1:] == SMALL.frame_shape
    return ACCEPTED


def _tensors() -> list[bytes]:
    shape = list(SMALL.frame_shape)
    values = SMALL.height * SMALL.width * 3
    header = b'{"id":"7","inputs":[{"name":"frames","datatype":"UINT8","shape":[1,%d,%d,3],' % tuple(shape[:2])
    listed = header + b'"data":[' + b",".join([b"7"] * values) + b']}],"outputs":[{"name":"logits"}]}'
    binary = header + b'"parameters":{"binary_data_size":%d}}],"parameters":{"policy":"never"}}' % values
    return [b"\x00" + listed, bytes([len(binary)]) + binary + bytes(values), b"\xff" + bytes(values)]


def _weights(data: bytes) -> str:
    FILE.write_bytes(data)
    try:
        load_any_checkpoint(FILE)
    except CheckpointError as error:
        assert str(FILE) in str(error)
        return "refused"
    return ACCEPTED


def _weight_files() -> list[bytes]:
    save_checkpoint(random_checkpoint(SMALL, 1), SEED)
    floats = SEED.read_bytes()
    save_integer_checkpoint(random_integer_network(SMALL, 1), SEED)
    return [floats, SEED.read_bytes()]


_CERTIFICATE = WEIGHTS_FOLDER / f"rascanet_{DEFAULT_VARIANT}.certificate.json"


@cache
def _certified_weights() -> str:
    return str(json.loads(_CERTIFICATE.read_text())["weights"])


def _certificate(data: bytes) -> str:
    FILE.write_bytes(data)
    try:
        Certificate.load(FILE, _certified_weights())
    except CertificateError as error:
        assert str(FILE) in str(error)
        return "refused"
    return ACCEPTED


def _certificates() -> list[bytes]:
    return [_CERTIFICATE.read_bytes()]


def _recording(data: bytes) -> str:
    FILE.write_bytes(data)
    try:
        Recording(FILE).check()
    except RecordingError as error:
        assert str(FILE) in str(error)
        return "refused"
    return ACCEPTED


def _recordings() -> list[bytes]:
    geometry, timing = SensorGeometry(10, 4), ReadoutTiming(100)
    with Recorder(SEED, geometry, timing) as recorder:
        for frame_id in range(2):
            pixels = np.full(geometry.sample_shape, frame_id, np.uint8)
            recorder.write_frame(0.0, read_bursts(pixels, geometry, timing, frame_id=frame_id))
    return [SEED.read_bytes()]


TARGETS: dict[str, Target] = {
    "messages": Target(_message, _messages),
    "tokens": Target(_token, _tokens, cost=3),
    "streams": Target(_stream, _streams, cost=50),
    "connections": Target(_connection, _requests, cost=100),
    "pictures": Target(_picture, _pictures, cost=50),
    "forms": Target(_form, _forms, cost=10),
    "tensors": Target(_tensor, _tensors, cost=3),
    "weights": Target(_weights, _weight_files, cost=20),
    "certificates": Target(_certificate, _certificates, cost=5),
    "recordings": Target(_recording, _recordings, cost=5),
}
"""The places by name."""
