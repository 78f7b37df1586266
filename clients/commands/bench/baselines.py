"""The step on other runtimes: one thread, the same uint8 rows, the state handed on from call to call."""

import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.checkpoint import Checkpoint

Rows = npt.NDArray[np.uint8]
Step = Callable[[Rows], npt.ArrayLike]
"""Rows (B, 5, W, 3) uint8 of B streams' next bursts to logits (B, 2); the streams' states advance inside."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A runtime's way to run the step.

    Attributes:
        name: runtime and form.
        needs: packages it takes.
        make: from weights and a number of streams, a step that begins as many fresh streams.
    """

    name: str
    needs: tuple[str, ...]
    make: Callable[[Checkpoint, int], Step]

    @property
    def missing(self) -> str | None:
        """The first package that isn't installed."""
        return next((name for name in self.needs if importlib.util.find_spec(name) is None), None)


def _torch_step(checkpoint: Checkpoint, batch: int, *, folded: bool) -> Step:
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

    return run


def _onnxruntime_step(checkpoint: Checkpoint, batch: int, *, form: Any, integers: bool = False) -> Step:
    """Plain `run()`, which is faster here than binding inputs and outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    with _exported(checkpoint, batch, form, integers=integers) as path:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    hidden = np.zeros(session.get_inputs()[1].shape, np.float32)

    def run(rows: Rows) -> npt.ArrayLike:
        nonlocal hidden
        logits: npt.ArrayLike
        logits, hidden = session.run(["logits", "next_hidden"], {"rows": rows, "hidden": hidden})
        return logits

    return run


def _openvino_step(checkpoint: Checkpoint, batch: int, *, form: Any, integers: bool = False) -> Step:
    """Two requests that swap their state tensors; the rows are copied into a shared one."""
    import openvino

    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    with _exported(checkpoint, batch, form, integers=integers) as path:
        model = core.compile_model(core.read_model(path), "CPU", settings)
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

    return run


@contextmanager
def _exported(checkpoint: Checkpoint, batch: int, form: Any, *, integers: bool) -> Iterator[Path]:
    from model.export import export_step

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own
            export_step(checkpoint, path, batch=batch, form=form)
        yield _quantised(checkpoint, path, batch) if integers else path


def _quantised(checkpoint: Checkpoint, path: Path, batch: int) -> Path:
    """ONNX Runtime's static quantisation: int8 weights per channel, 8-bit activations, whose ranges come from noise."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Bursts(CalibrationDataReader):  # type: ignore[misc] # ONNX Runtime has no types
        """A few frames' bursts, the state handed on."""

        def __init__(self) -> None:
            self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            self.rng, self.left = np.random.default_rng(0), CALIBRATION_FRAMES * checkpoint.config.bursts_per_frame
            self.hidden: npt.NDArray[np.float32] = np.zeros(0, np.float32)

        def get_next(self) -> dict[str, Any] | None:
            if not self.left:
                return None
            if self.left % checkpoint.config.bursts_per_frame == 0:
                self.hidden = np.zeros(self.session.get_inputs()[1].shape, np.float32)
            self.left -= 1
            seen = {
                "rows": self.rng.integers(0, 256, (batch, *checkpoint.config.burst_shape), np.uint8),
                "hidden": self.hidden,
            }
            (self.hidden,) = self.session.run(["next_hidden"], seen)
            return seen

    made = path.with_stem("integers")
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)  # it advises on how to prepare models
    try:
        quantize_static(
            path, made, Bursts(), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
        )  # fmt: skip
    finally:
        log.setLevel(level)
    return made


CALIBRATION_FRAMES = 4

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
        ("torch", "onnx", "onnxscript", "onnxruntime", package),
        partial(make, form="conv", integers=True),
    )
    for name, package, make in (
        ("ONNX Runtime", "onnxruntime", _onnxruntime_step),
        ("OpenVINO", "openvino", _openvino_step),
    )
)
"""The step in 8 bits, quantised by ONNX Runtime, in the form that is the faster of the two in 8 bits; OpenVINO runs the
same file. Their logits are not compared."""
