"""Node and Chromium as machines for the kernel in WebAssembly: plays frames, gives every burst's outputs and state."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Route

from model.checkpoint import Checkpoint, save_checkpoint
from model.integer.arithmetic import LOGIT_BITS, UNIT_BITS
from model.integer.checkpoint import save_integer_checkpoint
from model.integer.network import IntegerNetwork
from model.kernel.native import NativeRuntime
from model.step import Hidden
from tests.page.serving import CHROMIUM, chromium

ROOT: Final = Path(__file__).parents[3]
PACKAGE: Final = ROOT / "clients" / "javascript"
PLAY: Final = Path(__file__).with_name("play.mjs")
ORIGIN: Final = "http://kernel.test"
LIMIT_S: Final = 600

MISSING: Final = (
    "node is not installed"
    if shutil.which("node") is None
    else "the package is not built: npm ci && npm run build in clients/javascript"
    if not (PACKAGE / "dist" / "index.js").is_file()
    else "the kernel is not built: `make wasm`"
    if not list((PACKAGE / "wasm").glob("*.wasm"))
    else ""
)
WITHOUT_CHROMIUM: Final = MISSING or ("chromium is not installed" if CHROMIUM is None else "")

FORMS: Final = {"float32": ("relaxed", "simd128", "scalar"), "int8": ("simd128", "scalar")}
"""As in the package's `FORMS`."""


class Played(NamedTuple):
    """Of N frames of T bursts.

    Attributes:
        outputs: (N, T, 4) float64: logits, confidence, P(person).
        states: (N, T, ...) float32 or int16, the state after each burst.
    """

    outputs: npt.NDArray[np.float64]
    states: npt.NDArray[np.float32] | npt.NDArray[np.int16]


class Job(NamedTuple):
    """Frames (N, H, W, 3) for a network, and the form of the kernel that is to step them."""

    network: Checkpoint | IntegerNetwork
    frames: npt.NDArray[np.uint8]
    form: str

    @property
    def arithmetic(self) -> str:
        return "float32" if isinstance(self.network, Checkpoint) else "int8"

    @property
    def kernel(self) -> Path:
        return PACKAGE / "wasm" / f"{self.arithmetic}-{self.form}.wasm"

    def save(self, path: Path) -> None:
        """Writes the weights."""
        if isinstance(self.network, Checkpoint):
            save_checkpoint(self.network, path)
        else:
            save_integer_checkpoint(self.network, path)

    def played(self, outputs: bytes, states: bytes) -> Played:
        """What an engine gave, as arrays."""
        each = (len(self.frames), self.network.config.bursts_per_frame)
        channels, columns = self.network.config.hidden_shape
        if self.arithmetic == "float32":
            state = np.frombuffer(states, "<f4").reshape(*each, channels, columns)
            return Played(np.frombuffer(outputs, "<f8").reshape(*each, 4), state)
        return Played(
            np.frombuffer(outputs, "<f8").reshape(*each, 4),
            np.frombuffer(states, "<i2").reshape(*each, columns, channels),
        )


def in_node(jobs: Sequence[Job], folder: Path) -> list[Played]:
    """Plays jobs in one process of Node; files go to the folder.

    Raises:
        CalledProcessError: Node doesn't end well.
    """
    described = []
    for index, job in enumerate(jobs):
        paths = {name: folder / f"{index}.{name}" for name in ("weights", "frames", "out")}
        job.save(paths["weights"])
        job.frames.tofile(paths["frames"])
        described.append({name: str(path) for name, path in paths.items()} | {"kernel": str(job.kernel)})
    listed = folder / "jobs.json"
    listed.write_text(json.dumps(described))
    subprocess.run(["node", PLAY.with_name("play_in_node.mjs"), listed], check=True, timeout=LIMIT_S)
    return [
        job.played(*(Path(f"{each['out']}.{part}").read_bytes() for part in Played._fields))
        for job, each in zip(jobs, described, strict=True)
    ]


IN_PAGE: Final = """async names => {
    const { play } = await import("/tests/clients/javascript/play.mjs");
    const bytes = async name => new Uint8Array(await (await fetch(`/jobs/${name}`)).arrayBuffer());
    const text = bytes => new Promise(done => {
        const reader = new FileReader();
        reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
        reader.readAsDataURL(new Blob([bytes]));
    });
    const [weights, frames] = [await bytes(names.weights), await bytes(names.frames)];
    const { outputs, states } = await play({ weights, frames, kernel: fetch(names.kernel) });
    return [await text(outputs), await text(states)];
}"""


def in_chromium(jobs: Sequence[Job], folder: Path) -> list[Played]:
    """Plays jobs in a page of Chromium; files go to the folder. Nothing listens: requests are answered here."""

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path.lstrip("/")
        if not path:
            route.fulfill(body="<!doctype html><title>kernel</title>", content_type="text/html")
        elif path.startswith("jobs/"):
            route.fulfill(path=folder / path.removeprefix("jobs/"), content_type="application/octet-stream")
        else:
            kind = "application/wasm" if path.endswith(".wasm") else "text/javascript"
            route.fulfill(path=ROOT / path, content_type=kind)

    found = []
    with chromium() as browser:
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto(ORIGIN)
        for index, job in enumerate(jobs):
            names = {name: f"{index}.{name}" for name in ("weights", "frames")}
            job.save(folder / names["weights"])
            job.frames.tofile(folder / names["frames"])
            texts = page.evaluate(IN_PAGE, names | {"kernel": f"/{job.kernel.relative_to(ROOT)}"})
            found.append(job.played(*map(base64.b64decode, texts)))
    return found


def expected(job: Job) -> Played:
    """What the definition says: of integers the NumPy reference, of floats the native kernel in plain C."""
    if isinstance(job.network, IntegerNetwork):
        return _by_reference(job.network, job.frames)
    return _by_plain_kernel(job.network, job.frames)


def _by_reference(network: IntegerNetwork, frames: npt.NDArray[np.uint8]) -> Played:
    hidden = np.zeros((len(frames), *network.hidden_shape), np.int16)
    outputs, states = [], []
    for burst in np.moveaxis(frames.reshape(len(frames), -1, *network.config.burst_shape), 1, 0):
        made = network.step(burst, hidden)
        hidden = made.hidden.astype(np.int16)
        chances = np.stack([made.confidence, made.p_person], 1) * 2.0**-UNIT_BITS
        outputs.append(np.concatenate([made.logits * 2.0**-LOGIT_BITS, chances], 1))
        states.append(hidden)
    return Played(np.stack(outputs, 1), np.stack(states, 1))


def _by_plain_kernel(checkpoint: Checkpoint, frames: npt.NDArray[np.uint8]) -> Played:
    runtime = NativeRuntime(checkpoint, "plain")
    outputs: list[list[float]] = []
    states: list[Hidden] = []
    for frame in frames:
        hidden = runtime.initial_hidden()
        for burst in frame.reshape(-1, *checkpoint.config.burst_shape):
            outputs.append(runtime.step(burst, hidden).outputs)
            states.append(hidden.copy())
    each = (len(frames), checkpoint.config.bursts_per_frame)
    state = np.array(states, np.float32).reshape(*each, *checkpoint.config.hidden_shape)
    return Played(np.array(outputs).reshape(*each, 4), state)
