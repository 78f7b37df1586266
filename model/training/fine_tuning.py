"""Fine-tuning of an integer network: its arithmetic in torch, and the float network's answers as the aim.

`RoundedNetwork` computes in float32 what `model.integer.network` computes in integers: every rounding and every cut is
there, sums of products of bytes are exact, and a gradient passes a rounding as if it were not there (straight-through;
Bengio et al., arXiv 1308.3432). Weights stay floats whose rounding is part of the network; the float network, with
batch norm folded in, is where they begin and what they are held to, burst by burst.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.checkpoint import Checkpoint
from model.config import RaScaNetConfig
from model.folding import folded_layers
from model.integer.arithmetic import LOGIT_BITS, MOST_LOGIT, POOLED_BITS, REDUCED_BITS, UNIT_BITS, sigmoid
from model.integer.network import MIXED_BITS, IntegerNetwork, largest_sum
from model.integer.quantise import STEEPEST, fineness, input_scales, output_scale, quantise
from model.preprocess import network_input
from model.runtime import load_runtime
from model.step import StepRuntime

Frames = npt.NDArray[np.uint8]

UNIT: Final = float(1 << UNIT_BITS)
BYTE: Final = (0.0, 255.0)
WORD: Final = (-float(1 << 15), float((1 << 15) - 1))


@dataclass(frozen=True, slots=True)
class FineTuning:
    """How an integer network is fine-tuned.

    Attributes:
        steps: number of steps of the optimiser (Adam).
        batch: frames a step.
        learning_rate: at the beginning, from which it falls to zero as half a cosine; in steps of the integers, for
            weights those of int8, for biases those of outputs.
        state_weight: weight of the state's mean squared error beside the errors of P(person) and confidence.
        seed: of the batches.
    """

    steps: int = 1000
    batch: int = 16
    learning_rate: float = 0.02
    state_weight: float = 1.0
    seed: int = 1


class Answers(NamedTuple):
    """The outputs over B frames of T bursts.

    Attributes:
        p_person, confidence: (B, T), 0..1.
        margin: (B, T), logit of person less that of no person.
        states: (B, T, Wh, C), -1..1.
    """

    p_person: Tensor
    confidence: Tensor
    margin: Tensor
    states: Tensor


class _Requantised(torch.autograd.Function):
    """Sums times a factor, to the nearest integer, halves upwards, cut at both ends; no gradient beyond these."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, factor: Tensor, ends: tuple[float, float]) -> Tensor:
        values = sums * factor
        ctx.save_for_backward((values >= ends[0]) & (values <= ends[1]), factor)
        return torch.floor(values.add_(0.5)).clamp_(*ends)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        inside, factor = ctx.saved_tensors
        return gradients[0] * inside * factor, None, None


class _Sigmoid(torch.autograd.Function):
    """The table's sigmoid: Q3.12 in, Q0.15 out, both as floats that are whole numbers."""

    @staticmethod
    def forward(ctx: Any, arguments: Tensor, table: Tensor) -> Tensor:
        values = table[(arguments + float(1 << 15)).long()]
        ctx.save_for_backward(values)
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (values,) = ctx.saved_tensors
        share = values / UNIT
        return gradients[0] * share * (1 - share) * 2.0**3, None


class RoundedNetwork(nn.Module):
    """The integer network in float32, with gradients.

    Args:
        config: the network's shape.
        layers: float weights and biases, see `model.folding.folded_layers`.
        scales: of the 8-bit activations, as an integer network's provenance has them.
    """

    def __init__(
        self,
        config: RaScaNetConfig,
        layers: Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]],
        scales: Mapping[str, float],
    ) -> None:
        super().__init__()
        self.config, self.scales = config, dict(scales)
        self.first = {name: (torch.tensor(weight), torch.tensor(bias)) for name, (weight, bias) in layers.items()}
        self.step = {name: self._steps(name, *first) for name, first in self.first.items()}
        self.weights = nn.ParameterDict({name: torch.zeros_like(weight) for name, (weight, _) in self.first.items()})
        self.biases = nn.ParameterDict({name: torch.zeros_like(bias) for name, (_, bias) in self.first.items()})
        self.table = torch.tensor(sigmoid(np.arange(-(1 << 15), 1 << 15)), dtype=torch.float32)

    def layers(self) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Float weights and biases, for `model.integer.quantise`."""
        with torch.no_grad():
            made = {name: self._float(name) for name in self.first}
        return {name: (weight.numpy().copy(), bias.numpy().copy()) for name, (weight, bias) in made.items()}

    def forward(self, frames: Frames) -> Answers:
        """Reads frames (B, H, W, 3) uint8 burst by burst."""
        config = self.config
        count, bursts = len(frames), config.bursts_per_frame
        cut = frames.reshape(count * bursts, *config.burst_shape)
        features = torch.cat(
            [self._head(head, torch.from_numpy(network_input(cut))) for head in range(config.HEADS)], 1
        )
        features = features.reshape(count, bursts, config.feature_channels, config.hidden_width).transpose(2, 3)
        whole = {name: self._whole(name) for name in self.weights if not name.startswith("conv")}
        state = torch.zeros(count, *config.hidden_shape[::-1])
        states = []
        for seen in features.unbind(1):
            state = self._advance(whole, seen, state)
            states.append(state)
        return self._answers(whole, torch.stack(states, 1))

    def _wide(self, name: str, weight: Tensor) -> Tensor:
        """Weights times the scales of their inputs."""
        scales = torch.as_tensor(input_scales(self.config, name, self.scales), dtype=torch.float32)
        return weight * (scales.reshape(-1, *[1] * (weight.ndim - 2)) if scales.ndim else scales)

    def _steps(self, name: str, weight: Tensor, bias: Tensor) -> Tensor:
        """What one of the sums stands for, one an output; see `model.integer.quantise`."""
        fine = fineness(name)
        largest = self._wide(name, weight).abs().flatten(1).amax(1)
        step = fine * torch.maximum(largest / 127, bias.abs() / fine / (largest_sum(name) / 2))
        return torch.where(step > 0, step, output_scale(name, self.scales) / STEEPEST)

    def _float(self, name: str) -> tuple[Tensor, Tensor]:
        """Float weights and biases of a layer."""
        weight, bias = self.first[name]
        scales = self._wide(name, torch.ones_like(weight))
        step = (self.step[name] / fineness(name)).reshape(-1, *[1] * (weight.ndim - 1))
        return weight + self.weights[name] * step / scales, bias + self.biases[name] * output_scale(name, self.scales)

    def _whole(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """Whole weights and biases, and the factor from sums to outputs."""
        weight, bias = self._float(name)
        with torch.no_grad():
            step = self._steps(name, weight, bias)
        wide = self._wide(name, weight) * (fineness(name) / step).reshape(-1, *[1] * (weight.ndim - 1))
        return _nearest(wide), _nearest(bias / step), step / output_scale(name, self.scales)

    def _head(self, head: int, maps: Tensor) -> Tensor:
        """(N, 3, 5, W) -> (N, F / 2, Wh)."""
        for block in range(4):
            weight, bias, factor = self._whole(f"conv{2 * block + head}")
            sums = functional.max_pool2d(functional.conv2d(maps, weight, bias, padding=(0, 1)), (1, 2))
            maps = _requantised(sums, factor.reshape(-1, 1, 1), BYTE)
        return maps.squeeze(2)

    def _advance(self, whole: Mapping[str, tuple[Tensor, Tensor, Tensor]], features: Tensor, state: Tensor) -> Tensor:
        """(B, Wh, F), (B, Wh, C) -> (B, Wh, C)."""
        squeezed = _requantised(*_mixed(whole["squeeze"], features, state), BYTE)
        gates = self._gate(_linear(whole["excite"], squeezed))
        gated = _requantised(
            features * gates, torch.tensor(self.scales["features"] / UNIT / self.scales["gated"]), BYTE
        )
        projected = _requantised(*_neighbours(whole["project0"], gated), BYTE)
        projected = _requantised(*_neighbours(whole["project1"], projected), BYTE)
        reset = self._gate(_mixed(whole["gate0"], projected, state))
        update = self._gate(_mixed(whole["gate1"], projected, state))
        kept = _nearest(reset * state / UNIT)
        arguments = _requantised(*_mixed(whole["gate2"], projected, kept), WORD)
        candidate = 2 * _sigmoid((2 * arguments).clamp(*WORD), self.table) - UNIT
        return candidate + _nearest(update * (state - candidate) / UNIT)

    def _gate(self, sums_and_factor: tuple[Tensor, Tensor]) -> Tensor:
        return _sigmoid(_requantised(*sums_and_factor, WORD), self.table)

    def _answers(self, whole: Mapping[str, tuple[Tensor, Tensor, Tensor]], states: Tensor) -> Answers:
        """States (B, T, Wh, C) of Q0.15."""
        pooled = _requantised(
            (states.mean(2) + states.amax(2)) * 2.0 ** (POOLED_BITS - UNIT_BITS), torch.tensor(1.0), WORD
        )
        reduced = _requantised(*_linear(whole["reduce"], pooled), WORD)
        three = float(3 << REDUCED_BITS)
        active = _nearest(reduced * (reduced + three).clamp(0, 2 * three) / (2 * three))
        logits = _requantised(*_linear(whole["classify"], active), (-float(MOST_LOGIT), float(MOST_LOGIT)))
        margin = logits[..., 1] - logits[..., 0]
        confidence = self._gate(_linear(whole["confidence"], pooled))[..., 0]
        p_person = _sigmoid(margin.clamp(*WORD), self.table)
        return Answers(p_person / UNIT, confidence / UNIT, margin / 2**LOGIT_BITS, states / UNIT)


def _nearest(values: Tensor) -> Tensor:
    """To the nearest whole number, halves upwards; the gradient passes."""
    return values + (torch.floor(values.detach() + 0.5) - values.detach())


def _requantised(sums: Tensor, factor: Tensor, ends: tuple[float, float]) -> Tensor:
    values: Tensor = _Requantised.apply(sums, factor, ends)  # type: ignore[no-untyped-call] # torch has no type for it
    return values


def _sigmoid(arguments: Tensor, table: Tensor) -> Tensor:
    values: Tensor = _Sigmoid.apply(arguments, table)  # type: ignore[no-untyped-call] # torch has no type for it
    return values


def _linear(whole: tuple[Tensor, Tensor, Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of (..., inputs), and the factor of each output."""
    weight, bias, factor = whole
    return functional.linear(inputs, weight.flatten(1), bias), factor


def _mixed(whole: tuple[Tensor, Tensor, Tensor], narrow: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
    """The same for 8-bit inputs followed by 16-bit ones."""
    return _linear(whole, torch.cat([narrow * float(1 << MIXED_BITS), wide], -1))


def _neighbours(whole: tuple[Tensor, Tensor, Tensor], maps: Tensor) -> tuple[Tensor, Tensor]:
    """The same for a convolution of three columns over (B, Wh, inputs)."""
    padded = functional.pad(maps, (0, 0, 1, 1))
    taps = torch.stack([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], -1)
    return _linear(whole, taps.flatten(2))


class Teacher:
    """The float network's answers over frames.

    Args:
        runtime: the float network.
    """

    def __init__(self, runtime: StepRuntime) -> None:
        self.runtime = runtime

    def __call__(self, frames: Frames) -> Answers:
        """Reads frames (B, H, W, 3) uint8 burst by burst."""
        config = self.runtime.config
        outputs = np.empty((len(frames), config.bursts_per_frame, 4), np.float32)
        states = np.empty((*outputs.shape[:2], *config.hidden_shape[::-1]), np.float32)
        for number, frame in enumerate(frames):
            hidden = self.runtime.initial_hidden()
            for index, burst in enumerate(frame.reshape(-1, *config.burst_shape)):
                outputs[number, index] = self.runtime.step(burst, hidden).outputs
                states[number, index] = hidden.T
        none, person, confidence, p_person = torch.from_numpy(outputs).unbind(-1)
        return Answers(p_person, confidence, person - none, torch.from_numpy(states))


def loss(made: Answers, aim: Answers, state_weight: float) -> Tensor:
    """The cross-entropies of P(person) and confidence less their least, and the state's error."""
    parts = [
        functional.binary_cross_entropy(mine.clamp(1e-4, 1 - 1e-4), its) - functional.binary_cross_entropy(its, its)
        for mine, its in ((made.p_person, aim.p_person), (made.confidence, aim.confidence))
    ]
    return parts[0] + parts[1] + state_weight * functional.mse_loss(made.states, aim.states)


class Difference(NamedTuple):
    """How far two networks' P(person) are apart.

    Attributes:
        mean: mean of the differences' sizes, over all bursts.
        decisions: share of the frames whose last P(person) is on the other side of one half.
    """

    mean: float
    decisions: float


def difference(one: StepRuntime, other: StepRuntime, frames: Frames) -> Difference:
    """Reads frames (N, H, W, 3) uint8 with both."""
    curves = [
        np.array([runtime.step(frame, runtime.initial_hidden()).p_person for frame in frames])
        for runtime in (one, other)
    ]
    apart = (curves[0][:, -1] >= 0.5) != (curves[1][:, -1] >= 0.5)
    return Difference(float(np.abs(curves[0] - curves[1]).mean()), float(apart.mean()))


def batches(count: int, size: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yields the numbers of a batch's frames without end, each frame once in a turn through all."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(count)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]


def fine_tune(
    checkpoint: Checkpoint,
    network: IntegerNetwork,
    frames: Frames,
    tuning: FineTuning,
    progress: Callable[[int, float], None] = lambda *_: None,
) -> IntegerNetwork:
    """Trains an integer network to answer as its float weights do.

    Args:
        checkpoint: the float weights.
        network: the integer network that was made of them; its scales are kept.
        frames: (N, H, W, 3) uint8, at least a batch of them.
        tuning: how.
        progress: is called with the number of steps done and the last loss.

    Raises:
        ValueError: fewer frames than a batch.
        IntegerNetworkError: training led to a network whose sums could leave int32.
    """
    if len(frames) < tuning.batch:
        raise ValueError(f"{len(frames)} frames are fewer than a batch of {tuning.batch}")
    scales = network.provenance["quantised"]["scales"]
    student = RoundedNetwork(checkpoint.config, folded_layers(checkpoint), scales)
    teacher = Teacher(load_runtime(checkpoint))
    optimiser = torch.optim.Adam(student.parameters(), tuning.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, tuning.steps)
    rng = np.random.default_rng(tuning.seed)
    for done, chosen in zip(range(1, tuning.steps + 1), batches(len(frames), tuning.batch, tuning.seed), strict=False):
        seen = frames[np.sort(chosen)]
        if rng.random() < 0.5:
            seen = np.ascontiguousarray(seen[:, :, ::-1])
        error = loss(student(seen), teacher(seen), tuning.state_weight)
        optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call] # torch has no type for it
        optimiser.step()
        schedule.step()
        progress(done, error.item())
    facts = {
        name: fact for name, fact in network.provenance["quantised"].items() if name not in ("scales", "float_weights")
    }
    told = {**asdict(tuning), "pictures": len(frames)}
    return quantise(checkpoint, scales, {**facts, "fine_tuned": told}, student.layers())
