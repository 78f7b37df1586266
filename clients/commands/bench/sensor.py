"""Suite `sensor`: the simulated sensor's noise and the way from a mosaic to RGB, one core."""

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from clients.commands.bench.plan import Plan
from clients.commands.bench.subjects import checkpoint_of
from clients.commands.bench.timing import Call, time_in_turns
from clients.commands.table import Table, number, ratio
from model.preprocess import rgb_frame
from sensor_sim.burst import PixelFormat, SensorGeometry
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
    contenders: dict[str, Call] = {
        NIGHT: partial(Sensor(PRESETS["night"], geometry).frame, picture),
        "ideal: no noise": partial(Sensor(PRESETS["ideal"], geometry).frame, picture),
        PLAIN: partial(_plain_night, picture, np.random.default_rng(0)),
    }
    for pixel_format in (PixelFormat.MONO8, PixelFormat.BAYER_RGGB8):
        samples = Sensor(PRESETS["ideal"], SensorGeometry(*config.frame_shape[:2], 5, pixel_format)).frame(picture)
        contenders[f"{pixel_format.value} to RGB"] = partial(rgb_frame, samples, pixel_format.value)
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


def _plain_night(picture: Any, rng: np.random.Generator) -> Any:
    """The same sources as the preset's, drawn for a whole frame at once and not repeatable by row."""
    config = PRESETS["night"]
    electrons = linear_light(picture) * np.float32(config.white_photons * config.quantum_efficiency)
    noisy = rng.poisson(electrons + config.dark_electrons) + config.read_noise_e * rng.standard_normal(
        electrons.shape, np.float32
    )
    numbers = np.rint(np.minimum(noisy, config.full_well_e) * config.gain_dn_e + config.black_level_dn)
    light = (np.clip(numbers, config.black_level_dn, config.max_dn) - config.black_level_dn) / (
        config.max_dn - config.black_level_dn
    )
    return (np.clip(light, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


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
