"""The doors agree: websocket, `/v1/classify`, tensors and sequences give what torch's whole-frame `forward` gives."""

import io
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from clients.commands.classify.local import Classifier, Setup
from clients.commands.sources import Picture
from clients.python.client import Client
from model.checkpoint import load_checkpoint, shipped_weights
from model.config import VARIANTS
from model.exit_policy import NeverExitPolicy, parse_policy
from model.integer.network import IntegerNetwork
from model.kernel.native_integer import IntegerRuntime
from model.picture import PictureLimits, decode_picture
from model.preprocess import network_input
from model.rascanet import RaScaNet
from model.runtime import load_runtime
from model.scan import scan_frame
from model.step import Hidden, StepResult
from model.torch_runtime import network_from
from model.training.dataset import DataSet, IndexRow, write_index
from model.training.photos import load_frames, read_photos
from sensor_sim.burst import SensorGeometry
from sensor_sim.clock import VirtualClock
from sensor_sim.scene import photo_frame, sample_photos
from server.networks import ServedNetwork
from server.pictures.decode import decode_image
from tests.model.random_networks import LOGITS_TOLERANCE, p_person, random_frames
from tests.networks import SMALL, person_curve, random_checkpoint, random_integer_network
from tests.picture_kinds import KINDS, Kind

pytestmark = pytest.mark.long

RANDOM_FRAMES = 50
P_TOLERANCE = LOGITS_TOLERANCE / 2
"""Of P(person), whose slope over the difference of two logits is 1/4 at most."""

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Found:
    """A decision as a door tells it; `logits` only where the door has them."""

    p_person: float
    burst_index: int
    processed: int
    skipped: int
    exited: bool
    logits: Any = None


@dataclass(frozen=True)
class Doors:
    """A service, the network behind it (a torch module, or None), and frames to ask about."""

    url: str
    network: Any
    served: ServedNetwork
    frames: Frames

    @property
    def name(self) -> str:
        return self.served.runtime.config.name


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Torch's threads would wait for each other in every step; one burst is too little to share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=VARIANTS)
def doors(request: pytest.FixtureRequest, start: Callable[..., str]) -> Doors:
    config = VARIANTS[request.param]
    shipped = shipped_weights(config.name)
    checkpoint = load_checkpoint(shipped) if shipped.is_file() else random_checkpoint(config, 3)
    served = ServedNetwork(load_runtime(checkpoint), checkpoint.digest)
    geometry = SensorGeometry(config.height, config.width, config.BURST_ROWS)
    photos = [photo_frame(path, geometry) for path in sample_photos()]
    frames = np.concatenate([random_frames(config, RANDOM_FRAMES, 5), np.array(photos)])
    return Doors(start({config.name: served}), network_from(checkpoint), served, frames)


@torch.inference_mode()
def _forward(network: RaScaNet, frames: Frames) -> npt.NDArray[np.float32]:
    """Logits (B, T, 2) of torch."""
    found: npt.NDArray[np.float32] = network(torch.from_numpy(network_input(frames))).logits.numpy()
    return found


@torch.inference_mode()
def _published(network: RaScaNet, frame: Frames, exit_threshold: float, skip_threshold: float) -> Found:
    """The published rule on torch, written without the project's policies."""
    config = network.config
    hidden = network.initial_hidden()
    burst, processed, skipped = 0, 0, 0
    while True:
        rows = frame[burst * config.BURST_ROWS : (burst + 1) * config.BURST_ROWS]
        output = network.step(torch.from_numpy(network_input(rows))[None], hidden)
        hidden, logits, last = output.hidden, output.logits[0].numpy(), burst
        chance = float(p_person(logits))
        processed, burst = processed + 1, burst + 1
        if burst < config.bursts_per_frame and chance >= exit_threshold:
            return Found(chance, last, processed, skipped, True, logits)
        if burst < config.bursts_per_frame and chance <= skip_threshold:
            skipped, burst = skipped + 1, burst + 1
        if burst >= config.bursts_per_frame:
            return Found(chance, last, processed, skipped, False, logits)


def _in_process(doors: Doors, policy: dict[str, Any]) -> list[Found]:
    found = []
    for frame in doors.frames:
        said: list[StepResult] = []
        scan = scan_frame(doors.served.runtime, frame, parse_policy(policy), lambda _, result: said.append(result))  # noqa: B023 - called at once
        logits = said[-1].logits[-1]
        found.append(Found(scan.p_person, scan.last_burst, scan.processed, scan.skipped, scan.exited, logits))
    return found


def _websocket(doors: Doors, policy: dict[str, Any]) -> list[Found]:
    with Client(doors.url, doors.name, policy=policy, clock=VirtualClock()) as client:
        decisions = [report.decision for report in client.stream(list(doors.frames))]
    return [Found(each.p_person, each.burst_index, each.processed, each.skipped, each.exited) for each in decisions]


def _classify(doors: Doors, policy: dict[str, Any]) -> list[Found]:
    """Every other frame in one form, the others each as a body."""
    files = []
    for frame in doors.frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "PNG", compress_level=1)
        files.append(("files", ("frame.png", buffer.getvalue())))
    query = {"variant": doors.name, "policy": msgspec.json.encode(policy).decode()}
    with httpx2.Client(base_url=doors.url, params=query, timeout=60) as client:
        results = client.post("/v1/classify", files=files[::2]).json()["results"]
        for place, (_, (_, content)) in enumerate(files[1::2]):
            answer = client.post("/v1/classify", content=content, headers={"content-type": "image/png"}).json()
            results[2 * place + 1 : 2 * place + 1] = answer["results"]
    names = ("p_person", "burst_index", "processed", "skipped", "exited", "logits")
    return [Found(*(each[name] for name in names)) for each in results]


def _values(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: np.array(output["data"]).reshape(output["shape"]) for output in answer.json()["outputs"]}


def _post(client: httpx2.Client, model: str, tensor: str, array: Frames, parameters: dict[str, Any]) -> dict[str, Any]:
    described = {
        "name": tensor,
        "shape": list(array.shape),
        "datatype": "UINT8",
        "parameters": {"binary_data_size": array.nbytes},
    }
    header = msgspec.json.encode({"inputs": [described], "parameters": parameters})
    length = {"Inference-Header-Content-Length": str(len(header))}
    return _values(client.post(f"/v2/models/{model}/infer", content=header + array.tobytes(), headers=length))


def _tensors(doors: Doors, policy: dict[str, Any]) -> list[Found]:
    parameters = {"policy": msgspec.json.encode(policy).decode()}
    with httpx2.Client(base_url=doors.url, timeout=60) as client:
        values = _post(client, doors.name, "frames", doors.frames, parameters)
    names = ("p_person", "burst_index", "processed", "skipped", "exited", "logits")
    return [Found(*each) for each in zip(*(values[name] for name in names), strict=True)]


def _sequences(doors: Doors, policy: dict[str, Any]) -> list[Found]:
    """Every other frame burst by burst and without what is skipped, the others seven bursts a request."""
    config, found, number_of_scan = doors.served.runtime.config, [], secrets.token_hex(4)  # each frame its own id
    parameters = {"policy": msgspec.json.encode(policy).decode(), "sequence_start": True}
    with httpx2.Client(base_url=doors.url, timeout=60) as client:
        for number, frame in enumerate(doors.frames, 1):
            bursts = frame.reshape(config.bursts_per_frame, *config.burst_shape)
            size, first, values = (1 if number % 2 else 7), 0, {"decided": [False]}
            while not values["decided"][0]:
                place = {"sequence_id": f"{number} of {number_of_scan}", "burst_index": first}
                values = _post(
                    client,
                    f"{doors.name}-sequence",
                    "bursts",
                    bursts[first : first + size],
                    place | (parameters if first == 0 else {}),
                )
                first = int(values["next_burst"][0]) if size == 1 else first + size
            names = ("p_person", "burst_index", "processed", "skipped", "exited", "logits")
            found.append(Found(*(values[name][0] for name in names)))
    return found


def _assert_logits(found: list[Found], expected: Any) -> None:
    """The same logits; of a door that tells P(person) alone, the same difference of them where P(person) has it."""
    if found[0].logits is not None:
        np.testing.assert_allclose([each.logits for each in found], expected, rtol=0, atol=LOGITS_TOLERANCE)
        return
    chances = np.array([each.p_person for each in found])
    inner = (chances > 1e-3) & (chances < 1 - 1e-3)  # nearer to 0 and 1 float32 rounds too much of it away
    assert inner.any()
    differences = np.log(chances[inner] / (1 - chances[inner]))
    np.testing.assert_allclose(differences, np.diff(expected, axis=1)[inner, 0], rtol=0, atol=2 * LOGITS_TOLERANCE)


DOORS = [_in_process, _websocket, _classify, _tensors, _sequences]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__.strip("_"))
def test_a_frame_read_to_its_end_is_torchs_forward(
    doors: Doors, door: Callable[[Doors, dict[str, Any]], list[Found]]
) -> None:
    expected = _forward(doors.network, doors.frames)[:, -1]
    found = door(doors, {"name": "never"})
    np.testing.assert_allclose([each.p_person for each in found], p_person(expected), rtol=0, atol=P_TOLERANCE)
    assert {(each.processed, each.skipped, each.exited) for each in found} == {
        (doors.served.runtime.config.bursts_per_frame, 0, False)
    }
    _assert_logits(found, expected)


@pytest.fixture(scope="module")
def thresholds(doors: Doors) -> tuple[float, float]:
    """Such that frames exit and bursts are skipped, and that no P(person) of torch lies on them."""
    chances = np.sort(p_person(_forward(doors.network, doors.frames)).ravel())

    def between(share: float) -> float:
        first = int(share * len(chances))
        widest = first + int(np.argmax(np.diff(chances[first : first + 40])))
        return float((chances[widest] + chances[widest + 1]) / 2)

    return between(0.97), between(0.1)


@pytest.fixture(scope="module")
def expected(doors: Doors, thresholds: tuple[float, float]) -> list[Found]:
    found = [_published(doors.network, frame, *thresholds) for frame in doors.frames]
    assert {each.exited for each in found} == {True, False}
    assert any(each.skipped for each in found)
    return found


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__.strip("_"))
def test_exits_and_skips_are_torchs_too(
    doors: Doors,
    thresholds: tuple[float, float],
    expected: list[Found],
    door: Callable[[Doors, dict[str, Any]], list[Found]],
) -> None:
    found = door(doors, {"name": "published", "exit_threshold": thresholds[0], "skip_threshold": thresholds[1]})
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.p_person == pytest.approx(theirs.p_person, abs=P_TOLERANCE)
        for field in ("burst_index", "processed", "skipped", "exited"):
            assert getattr(ours, field) == getattr(theirs, field)
    _assert_logits(found, [each.logits for each in expected])


class ByDefinition:
    """`StepRuntime` on the definition of the integer network."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.config, self.turn_bursts, self._network = network.config, 1, network

    def initial_hidden(self) -> Hidden:
        return np.zeros(self._network.hidden_shape, np.int16)

    def step(self, rows: Frames, hidden: Hidden) -> StepResult:
        outputs: list[float] = []
        for burst in rows.reshape(-1, *self.config.burst_shape):
            made = self._network.step(burst[None], hidden[None])
            hidden[...] = made.hidden[0]
            outputs += (made.logits[0] / 2**12).tolist()
            outputs += [float(made.confidence[0]) / 2**15, float(made.p_person[0]) / 2**15]
        return StepResult(outputs)


@pytest.fixture(scope="module")
def integer_doors(start: Callable[..., str]) -> tuple[Doors, Doors]:
    """A service on the integer kernel, and the same without one on the definition."""
    network = random_integer_network(SMALL, 4)
    served = ServedNetwork(IntegerRuntime(network), network.digest)
    frames = random_frames(SMALL, 12, 5)
    defined = ServedNetwork(ByDefinition(network), network.digest)
    return Doors(start({SMALL.name: served}), None, served, frames), Doors("", None, defined, frames)


@pytest.mark.parametrize("policy", ["never", "published", "per_burst"])
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__.strip("_"))
def test_the_integer_network_is_its_definition_to_the_bit(
    integer_doors: tuple[Doors, Doors], door: Callable[[Doors, dict[str, Any]], list[Found]], policy: str
) -> None:
    doors, defined = integer_doors
    for ours, theirs in zip(door(doors, {"name": policy}), _in_process(defined, {"name": policy}), strict=True):
        assert ours.p_person == theirs.p_person
        for field in ("burst_index", "processed", "skipped", "exited"):
            assert getattr(ours, field) == getattr(theirs, field)
        assert ours.logits is None or np.array_equal(np.asarray(ours.logits, np.float32), theirs.logits)


def test_a_photo_is_the_same_frame_to_sensor_and_service() -> None:
    for path in sample_photos():
        assert np.array_equal(_service(path), _sensor(path))


GEOMETRY = SensorGeometry(SMALL.height, SMALL.width)


def _sensor(path: Path) -> Frames:
    return photo_frame(path, GEOMETRY)


def _service(path: Path) -> Frames:
    return decode_image(path.read_bytes(), GEOMETRY.height, GEOMETRY.width, PictureLimits())


def _training(path: Path) -> Frames:
    write_index(path.parent, DataSet([IndexRow(path, "val", 1, "test", None)]))
    frames = load_frames(read_photos(path.parent, "val"), GEOMETRY.height, GEOMETRY.width)
    return np.asarray(frames[0])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_file_of_any_kind_is_one_frame_behind_every_door(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(kind.content)
    expected = np.asarray(decode_picture(kind.content).resize((SMALL.width, SMALL.height), Image.Resampling.BILINEAR))
    for door in (_sensor, _service, _training):
        assert np.array_equal(door(path), expected)


def test_a_file_of_any_kind_is_one_decision_over_http_and_the_command_line(tmp_path: Path, service_url: str) -> None:
    checkpoint = random_checkpoint(SMALL, 1)
    runtime, command = load_runtime(checkpoint), Classifier(Setup(checkpoint, NeverExitPolicy()))
    query = {"variant": SMALL.name, "policy": '{"name": "never"}'}
    with httpx2.Client(base_url=service_url, params=query, timeout=60) as client:
        for name, kind in KINDS.items():
            path = tmp_path / "picture"
            path.write_bytes(kind.content)
            expected = person_curve(runtime, _sensor(path))[-1]
            answer = client.post("/v1/classify", files={"files": ("picture", kind.content)}).json()
            assert answer["results"][0]["p_person"] == pytest.approx(expected, abs=1e-6), name
            assert command.classify(Picture(name, str(path)))["p_person"] == pytest.approx(expected, abs=1e-6), name
