"""Suite `sensor`: the simulated sensor's noise and the way from a mosaic to RGB, one core."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from clients.commands.bench.plan import Plan
from clients.commands.bench.subjects import checkpoint_of
from clients.commands.bench.timing import Call, time_in_turns
from clients.commands.table import Table, number, ratio
from model.preprocess import rgb_frame, rgb_rows
from sensor_sim.burst import Frame, PixelFormat, Rows, SensorGeometry
from sensor_sim.readout import read_bursts
from sensor_sim.sensor import PRESETS, Sensor, linear_light

PLAIN = "plain numpy, one generator a frame"
NIGHT = "night: every source, a generator a row"
KERNEL = "the network, for comparison"


def run(plan: Plan) -> dict[str, Any]:
    """Times whole frames of each variant."""
    return {"cells": [_cell(plan, variant) for variant in plan.variants]}


def _cell(plan: Plan, variant: str) -> dict[str, Any]:
    from model.kernel.native import NativeRuntime

    checkpoint = checkpoint_of(variant)
    config = checkpoint.config
    picture = np.random.default_rng(0).integers(0, 256, config.frame_shape, np.uint8)
    geometry = SensorGeometry(config.height, config.width, config.BURST_ROWS)
    runtime = NativeRuntime(checkpoint)
    plain = _PlainNight(geometry)
    contenders: dict[str, Call] = {
        NIGHT: partial(Sensor(PRESETS["night"], geometry).frame, picture),
        "ideal: no noise": partial(Sensor(PRESETS["ideal"], geometry).frame, picture),
        PLAIN: partial(plain.frame, picture),
    }
    for pixel_format in (PixelFormat.MONO8, PixelFormat.BAYER_RGGB8):
        raw = replace(geometry, pixel_format=pixel_format)
        samples = Sensor(PRESETS["ideal"], raw).frame(picture)
        bursts = list(read_bursts(samples, raw))
        contenders[f"{pixel_format.value} to RGB"] = partial(rgb_frame, samples, pixel_format.value)
        contenders[f"{pixel_format.value} to RGB, burst by burst"] = partial(_by_burst, bursts)
    contenders[KERNEL] = lambda: runtime.step(picture, runtime.initial_hidden())
    times = time_in_turns(contenders, rounds=plan.rounds, turn_s=plan.turn_s, least_calls=2)
    return {
        "variant": variant,
        "rows": [
            {
                "name": name,
                "frames_s": 1e6 / timing.median_us,
                "against": {other: asdict(timing.faster_than(times[other])) for other in (PLAIN, KERNEL)},
            }
            for name, timing in times.items()
        ],
    }


def _by_burst(bursts: Sequence[Rows]) -> None:
    """Fills a frame in as the service does."""
    for burst in bursts:
        rgb_rows(
            burst.rows,
            burst.pixel_format.value,
            burst.first_burst * (len(burst.rows) - 2 * burst.pixel_format.halo_rows),
        )


class _PlainNight:
    """The same sources as the preset's, drawn for a whole frame at once and not repeatable by row."""

    def __init__(self, geometry: SensorGeometry) -> None:
        config = self._config = PRESETS["night"]
        self._rng = np.random.default_rng(0)
        shape = geometry.frame_shape
        response = 1 + config.prnu * self._rng.standard_normal(shape, np.float32)
        self._white_e = (response * config.white_photons * config.quantum_efficiency).astype(np.float32)
        self._offset_e = (config.dsnu_e * self._rng.standard_normal(shape, np.float32)).astype(np.float32)
        light = np.clip(np.arange(config.max_dn + 1) - config.black_level_dn, 0, None) / (
            config.max_dn - config.black_level_dn
        )
        self._output = np.rint(255 * light ** (1 / 2.2)).astype(np.uint8)

    def frame(self, picture: Frame) -> Frame:
        """(H, W, 3) uint8 in and out."""
        config, rng = self._config, self._rng
        electrons = rng.poisson(linear_light(picture) * self._white_e + np.float32(config.dark_electrons))
        read_e = np.float32(config.read_noise_e) * rng.standard_normal(picture.shape, np.float32)
        electrons = np.minimum(electrons.astype(np.float32), np.float32(config.full_well_e)) + self._offset_e + read_e
        numbers = np.rint(electrons * np.float32(config.gain_dn_e) + np.float32(config.black_level_dn))
        seen: Frame = self._output[np.clip(numbers, 0, config.max_dn).astype(np.uint16)]
        return seen


def tables(result: dict[str, Any]) -> list[Table]:
    """One table a variant."""
    headings = (
        "whole frames on one core",
        "frames/s",
        "times as fast\nas plain numpy",
        "times as fast\nas the network",
    )
    return [
        Table(
            f"Sensor of {cell['variant']}",
            headings,
            [(row["name"], number(row["frames_s"], 4), ratio(row, PLAIN), ratio(row, KERNEL)) for row in cell["rows"]],
        )
        for cell in result["cells"]
    ]


def brief(result: dict[str, Any]) -> list[Table]:
    """The noisiest preset beside plain numpy."""
    columns = ("whole frames on one core", "frames/s", "times as fast as plain numpy")
    return [
        table.pick(columns, lambda row: row[0].startswith(("night", "ideal")) or row[0] == PLAIN)
        for table in tables(result)
    ]
