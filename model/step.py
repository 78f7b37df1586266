"""`StepRuntime`: the one interface through which servers and commands run the network."""

from typing import Final, Protocol, Self

import msgspec
import numpy as np
import numpy.typing as npt

from model.config import RaScaNetConfig

LARGEST_MARGIN: Final = 87.0
"""Largest difference between two logits that counts; e^87 is still a float32."""

Pixels = npt.NDArray[np.uint8]
"""Rows or a frame: (rows, W, 3) RGB in 0..255."""

Floats = npt.NDArray[np.float32]
"""Logits (n, 2), no person before person; or confidence (n,) in 0..1."""

Hidden = npt.NDArray[np.float32] | npt.NDArray[np.int16]
"""The recurrent state of one frame, in the runtime's shape and dtype: (C, Wh) float32; of the integer network (Wh, C)
int16."""


class StepResult(msgspec.Struct, gc=False):
    """The network's output after each of n bursts.

    Attributes:
        outputs: 4 n floats; of each burst the logit of no person, the logit of person, the confidence and P(person).
            A list, because for a burst or two Python's floats are much faster than arrays.
    """

    outputs: list[float]

    @classmethod
    def of(cls, logits: Floats, confidence: Floats) -> Self:
        """Makes a result from logits (n, 2) and confidence (n,) in 0..1."""
        p_person = 1 / (1 + np.exp(np.minimum(logits[:, 0] - logits[:, 1], LARGEST_MARGIN)))
        return cls(np.column_stack([logits, confidence, p_person]).ravel().tolist())

    @property
    def logits(self) -> Floats:
        """(n, 2) float32, no person before person."""
        return np.array(self.outputs, np.float32).reshape(-1, 4)[:, :2]

    @property
    def confidence(self) -> list[float]:
        """P(the decision at a burst is the final one), of each burst, 0..1."""
        return self.outputs[2::4]

    @property
    def p_person(self) -> list[float]:
        """P(person) after each burst, 0..1."""
        return self.outputs[3::4]


class RuntimeUnavailableError(RuntimeError):
    """A runtime, or an instruction set of it, that this machine or this installation doesn't have."""


class StepRuntime(Protocol):
    """Runs one network. A runtime never remembers a stream: the caller's hidden state is advanced in place."""

    config: RaScaNetConfig

    turn_bursts: int
    """Number of bursts that one call steps in about a millisecond. Callers that share their thread with other streams,
    as the service's event loop does, must pass at most this number to one call."""

    def initial_hidden(self) -> Hidden:
        """The state before a frame's first burst: zeros, in C order."""
        ...

    def step(self, rows: Pixels, hidden: Hidden) -> StepResult:
        """Advances `hidden` by n consecutive bursts.

        Args:
            rows: (n * 5, W, 3) uint8 RGB, n >= 1.
            hidden: of the shape and dtype of `initial_hidden`, overwritten with the state after the last burst.

        Raises:
            ValueError: `rows` or `hidden` of another shape or dtype, or a `hidden` that can't be written in place.
        """
        ...


def check_step_arguments(runtime: StepRuntime, rows: Pixels, hidden: Hidden) -> int:
    """The number of bursts in `rows`.

    Raises:
        ValueError: as `StepRuntime.step` says.
    """
    burst_rows, *columns = runtime.config.burst_shape
    if rows.dtype != np.uint8 or rows.ndim != 3 or list(rows.shape[1:]) != columns or len(rows) % burst_rows:
        raise ValueError(
            f"rows must be uint8 (n * {burst_rows}, {columns[0]}, {columns[1]}), not {rows.dtype} {rows.shape}"
        )
    if not len(rows):
        raise ValueError("rows must hold at least one burst")
    first = runtime.initial_hidden()
    if hidden.dtype != first.dtype or hidden.shape != first.shape:
        raise ValueError(f"hidden must be {first.dtype} {first.shape}, not {hidden.dtype} {hidden.shape}")
    if not hidden.flags.carray:
        raise ValueError("hidden must be in C order, aligned and writable")
    return len(rows) // burst_rows
