"""The step on other runtimes: one thread, the same uint8 rows, the state handed on from call to call."""

import importlib.util
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from model.checkpoint import Checkpoint

Rows = npt.NDArray[np.uint8]
Step = Callable[[Rows], npt.ArrayLike]
"""Rows (B, 5, W, 3) uint8 of B streams' next bursts to logits (B, 2); the streams' states advance inside."""


class Streams(NamedTuple):
    """Streams on a runtime.

    Attributes:
        step: advances each of them by a burst.
        begin: begins each of them anew.
    """

    step: Step
    begin: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A runtime's way to run the step.

    Attributes:
        name: runtime and form.
        needs: packages it takes.
        make: from weights, a number of streams and frames (N, H, W, 3) uint8, as many fresh streams. Integers take the
            ranges of activations from the frames.
    """

    name: str
    needs: tuple[str, ...]
    make: Callable[[Checkpoint, int, Rows], Streams]

    @property
    def missing(self) -> str | None:
        """The first package that isn't installed."""
        return next((name for name in self.needs if importlib.util.find_spec(name) is None), None)


def noise(checkpoint: Checkpoint) -> Rows:
    """A few frames (N, H, W, 3) that serve for ranges where only speed is asked for."""
    return np.random.default_rng(0).integers(0, 256, (NOISE_FRAMES, *checkpoint.config.frame_shape), np.uint8)


def _torch_step(checkpoint: Checkpoint, batch: int, _frames: Rows, *, folded: bool) -> Streams:
    import torch

    from model.export import RowsStep, folded_network
    from model.torch_runtime import network_from

    torch.set_num_threads(1)
    step = RowsStep(folded_network(checkpoint, "conv") if folded else network_from(checkpoint)).eval()
    hidden = step.network.initial_hidden(batch)

    @torch.inference_mode()
    def run(rows: Rows) -> npt.ArrayLike:
        nonlocal hidden
        logits, _, hidden = step(torch.from_numpy(rows), hidden)
        found: npt.ArrayLike = logits.numpy()
        return found

    def begin() -> None:
        nonlocal hidden
        hidden = step.network.initial_hidden(batch)

    return Streams(run, begin)


def _onnxruntime_step(
    checkpoint: Checkpoint, batch: int, frames: Rows, *, form: Any, integers: bool = False
) -> Streams:
    """Plain `run()`, which is faster here than binding inputs and outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    with _exported(checkpoint, batch, form) as path:
        used = _quantised(path, Bursts(path, batch, checkpoint, frames)) if integers else path
        session = onnxruntime.InferenceSession(used, options, providers=["CPUExecutionProvider"])
    hidden = np.zeros(session.get_inputs()[1].shape, np.float32)

    def run(rows: Rows) -> npt.ArrayLike:
        nonlocal hidden
        logits: npt.ArrayLike
        logits, hidden = session.run(["logits", "next_hidden"], {"rows": rows, "hidden": hidden})
        return logits

    def begin() -> None:
        nonlocal hidden
        hidden = np.zeros_like(hidden)

    return Streams(run, begin)


def _openvino_step(checkpoint: Checkpoint, batch: int, frames: Rows, *, form: Any, integers: bool = False) -> Streams:
    """Two requests that swap their state tensors; the rows are copied into a shared one."""
    import openvino

    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    with _exported(checkpoint, batch, form) as path:
        read = core.read_model(path)
        if integers:
            read = _compressed(read, Bursts(path, batch, checkpoint, frames))
        model = core.compile_model(read, "CPU", settings)
    shared = np.zeros(model.input("rows").shape, np.uint8)
    states = [openvino.Tensor(np.zeros(model.input("hidden").shape, np.float32), shared_memory=False) for _ in "ab"]
    requests = []
    for index in range(2):
        request = model.create_infer_request()
        request.set_tensor("rows", openvino.Tensor(shared, shared_memory=True))
        request.set_tensor("hidden", states[index])
        request.set_tensor("next_hidden", states[1 - index])
        requests.append((request, request.get_tensor("logits").data))
    turn = 0

    def run(rows: Rows) -> npt.ArrayLike:
        nonlocal turn
        shared[:] = rows
        request, logits = requests[turn]
        turn = 1 - turn
        request.infer()
        found: npt.ArrayLike = logits
        return found

    def begin() -> None:
        states[turn].data[:] = 0

    return Streams(run, begin)


@contextmanager
def _exported(checkpoint: Checkpoint, batch: int, form: Any) -> Iterator[Path]:
    from model.export import export_step

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own
            export_step(checkpoint, path, batch=batch, form=form)
        yield path


class Bursts:
    """Inputs of the float step, for ranges: frames side by side in streams, burst by burst, the state handed on."""

    def __init__(self, path: Path, batch: int, checkpoint: Checkpoint, frames: Rows) -> None:
        self.path, self.batch, self.config, self.frames = path, batch, checkpoint.config, frames

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yields rows (B, 5, W, 3) uint8 and hidden states float32; the last streams may have first frames again."""
        import onnxruntime

        session = onnxruntime.InferenceSession(self.path, providers=["CPUExecutionProvider"])
        for start in range(0, len(self.frames), self.batch):
            chosen = self.frames[np.arange(start, start + self.batch) % len(self.frames)]
            bursts = chosen.reshape(self.batch, self.config.bursts_per_frame, *self.config.burst_shape)
            hidden = np.zeros(session.get_inputs()[1].shape, np.float32)
            for index in range(self.config.bursts_per_frame):
                seen = {"rows": np.ascontiguousarray(bursts[:, index]), "hidden": hidden}
                yield seen
                (hidden,) = session.run(["next_hidden"], seen)


def _quantised(path: Path, bursts: Bursts) -> Path:
    """ONNX Runtime's static quantisation: int8 weights per channel, 8-bit activations."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc] # ONNX Runtime has no types
        left = iter(bursts)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.left, None)

    made = path.with_stem("integers")
    with _quiet(logging.getLogger()):  # it advises on how to prepare models
        quantize_static(
            path, made, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
        )  # fmt: skip
    return made


def _compressed(model: Any, bursts: Bursts) -> Any:
    """OpenVINO's own: NNCF's quantisation after training, with its defaults, over all bursts."""
    with _quiet(logging.getLogger("nncf")), redirect_stdout(io.StringIO()):  # it draws bars
        import nncf

        seen = list(bursts)
        return nncf.quantize(model, nncf.Dataset(seen), subset_size=len(seen))


@contextmanager
def _quiet(log: logging.Logger) -> Iterator[None]:
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


NOISE_FRAMES = 4

BASELINES = (
    Baseline("torch eager", ("torch",), partial(_torch_step, folded=False)),
    Baseline("torch eager, folded", ("torch",), partial(_torch_step, folded=True)),
    *(
        Baseline(f"{name}, {form} form", ("torch", "onnx", "onnxscript", package), partial(make, form=form))
        for name, package, make in (
            ("ONNX Runtime", "onnxruntime", _onnxruntime_step),
            ("OpenVINO", "openvino", _openvino_step),
        )
        for form in ("conv", "gemm")
    ),
)

INTEGER_BASELINES = tuple(
    Baseline(
        f"{name}, int8",
        ("torch", "onnx", "onnxscript", "onnxruntime", *packages),
        partial(make, form="conv", integers=True),
    )
    for name, packages, make in (
        ("ONNX Runtime", (), _onnxruntime_step),
        ("OpenVINO", ("openvino", "nncf"), _openvino_step),
    )
)
"""The step in 8 bits, each by its maker's own quantisation, in the form that is the faster of the two in 8 bits. Logits
differ by what the accuracy shows."""
