"""Figures of certified exits on kinds of pictures that their certificate says nothing about.

A certificate promises something about pictures like those it was made with. Of another kind more decisions may be lost
to early exits, or fewer; the audits of a service (`model.risk_monitor`) tell.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from model.exit_policy import ExitPolicy
from model.preprocess import rgb_frame
from model.step import StepRuntime
from model.training.metrics import BinaryMetrics, binary_metrics, wilson_interval
from model.training.outcomes import losses, read_curves, replay
from model.training.photos import Photos
from sensor_sim.burst import Frame, PixelFormat, SensorGeometry
from sensor_sim.sensor import PRESETS, Sensor, SensorConfig

Show = Callable[[Frame, int], Frame]
"""Makes of a frame (H, W, 3) uint8 and its number the frame of a kind, of the same shape."""

COVER_GREY: Final = 127
"""Value of covered pixels, 0..255."""


def _sensed(config: SensorConfig, pixel_format: PixelFormat = PixelFormat.RGB8) -> Callable[[int, int], Show]:
    def of_size(height: int, width: int) -> Show:
        sensor = Sensor(config, SensorGeometry(height, width, pixel_format=pixel_format))
        if pixel_format is PixelFormat.RGB8:
            return sensor.frame
        return lambda frame, number: rgb_frame(sensor.frame(frame, number), pixel_format)

    return of_size


def _exposed(name: str, times: float) -> SensorConfig:
    return replace(PRESETS[name], exposure_us=PRESETS[name].exposure_us * times)


def _covered(share: float) -> Callable[[int, int], Show]:
    """Covers the upper `share` of the rows."""

    def of_size(height: int, _width: int) -> Show:
        rows = round(height * share)

        def show(frame: Frame, _number: int) -> Frame:
            shown = frame.copy()
            shown[:rows] = COVER_GREY
            return shown

        return show

    return of_size


def _lit_late(share: float) -> Callable[[int, int], Show]:
    """Reads the upper `share` of the rows in a tenth of a night's light; then a lamp is switched on."""

    def of_size(height: int, width: int) -> Show:
        rows = round(height * share)
        dark, lit = (_sensed(config)(height, width) for config in (_exposed("night", 0.1), PRESETS["indoor"]))
        return lambda frame, number: np.concatenate([dark(frame, number)[:rows], lit(frame, number)[rows:]])

    return of_size


KINDS: Final[Mapping[str, Callable[[int, int], Show]]] = {
    **{name: _sensed(config) for name, config in PRESETS.items()},
    "underexposed, a tenth of daylight": _sensed(_exposed("daylight", 0.1)),
    "overexposed, thirty times daylight": _sensed(_exposed("daylight", 30)),
    "indoor, mono8": _sensed(PRESETS["indoor"], PixelFormat.MONO8),
    "indoor, bayer_rggb8": _sensed(PRESETS["indoor"], PixelFormat.BAYER_RGGB8),
    "a tenth of night, lamp on after three fifths": _lit_late(3 / 5),
    "upper third covered": _covered(1 / 3),
    "upper three fifths covered": _covered(3 / 5),
}
"""Kinds by name: each makes, for frames of a height and width in px, what shows a frame of that kind."""


@dataclass(frozen=True, slots=True)
class KindFigures:
    """Figures of certified exits on pictures of one kind.

    Attributes:
        name: one of `KINDS`.
        lost: (N,) bool, true for pictures that the policy decides otherwise than the full frame of that kind.
        interval: 95 % interval of the share lost, 0..1.
        processed_ratio: mean share of the bursts processed, 0..1.
        full: full frames of that kind.
    """

    name: str
    lost: npt.NDArray[np.bool_]
    interval: tuple[float, float]
    processed_ratio: float
    full: BinaryMetrics


def frames_of_kind(name: str, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Shows frames (N, H, W, 3) uint8 as a kind of `KINDS`; frame i has the noise of id i."""
    show = KINDS[name](*frames.shape[1:3])
    return np.stack([show(frame, number) for number, frame in enumerate(frames)])


def kind_figures(
    runtime: StepRuntime, policy: ExitPolicy, frames: npt.NDArray[np.uint8], photos: Photos
) -> Iterator[KindFigures]:
    """Yields the figures on each kind of frames (N, H, W, 3) uint8 of these photographs."""
    for name in KINDS:
        curves = read_curves(runtime, frames_of_kind(name, frames), photos)
        outcome = replay(policy, curves)
        lost = losses(outcome, curves, "disagreement")
        yield KindFigures(
            name,
            lost,
            wilson_interval(int(lost.sum()), len(lost)),
            float(outcome.processed.mean()),
            binary_metrics(curves.p_person[:, -1], curves.labels),
        )
