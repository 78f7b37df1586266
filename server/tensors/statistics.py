"""Statistics of the infer requests to each model, in the form of Triton's statistics extension. No I/O."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from server.tensors.schemas import Duration, InferenceStatistics, ModelStatistics

Spans = tuple[int, int, int]
"""Nanoseconds for reading a request, for the network with the wait for a core, and for writing the answer."""


@dataclass(slots=True)
class _Count:
    number: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        self.number += 1
        self.ns += ns

    def told(self) -> Duration:
        return Duration(count=self.number, ns=self.ns)


@dataclass(slots=True)
class _Counts:
    inferences: int = 0
    last_ms: int = 0
    success: _Count = field(default_factory=_Count)
    fail: _Count = field(default_factory=_Count)
    parts: tuple[_Count, _Count, _Count] = field(default_factory=lambda: (_Count(), _Count(), _Count()))


class Statistics:
    """Counts of one process.

    Args:
        clock: clock, seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._of: defaultdict[str, _Counts] = defaultdict(_Counts)

    def succeeded(self, model: str, inferences: int, spans: Spans) -> None:
        """Counts a request that was answered.

        Args:
            model: name of the model.
            inferences: number of frames of the request; 1 for bursts of a sequence.
            spans: times of the request's parts.
        """
        counts = self._of[model]
        counts.inferences += inferences
        counts.last_ms = round(self._clock() * 1000)
        counts.success.add(sum(spans))
        for part, ns in zip(counts.parts, spans, strict=True):
            part.add(ns)

    def failed(self, model: str, ns: int) -> None:
        """Counts a request that was refused after `ns` nanoseconds."""
        self._of[model].fail.add(ns)

    def of(self, model: str, version: str) -> ModelStatistics:
        """The statistics of a model."""
        counts = self._of[model]
        reading, computing, writing = (part.told() for part in counts.parts)
        return ModelStatistics(
            name=model,
            version=version,
            last_inference=counts.last_ms,
            inference_count=counts.inferences,
            execution_count=counts.success.number,
            inference_stats=InferenceStatistics(
                success=counts.success.told(),
                fail=counts.fail.told(),
                queue=Duration(count=counts.success.number, ns=0),
                compute_input=reading,
                compute_infer=computing,
                compute_output=writing,
            ),
        )
