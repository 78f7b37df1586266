"""The pictures of docs/sensor.md, each with its caption."""

from dataclasses import replace

import numpy as np

from clients.commands.stream.sensor_options import SensorChoice
from model.preprocess import rgb_frame
from sensor_sim.burst import Frame, PixelFormat, SensorGeometry
from sensor_sim.camera import Camera, Shutter
from sensor_sim.charts import street
from sensor_sim.profiles import PROFILES
from sensor_sim.readout import ReadoutTiming
from sensor_sim.scene import PanningScene, SpriteScene
from sensor_sim.sensor import PRESETS, Sensor

PAN_PX_S = 900.0
"""Speed of the street in the pictures of shutters and profiles: four times the frame's width a second."""
PROFILES_A_ROW = 5

Picture = tuple[str, Frame]
"""Caption and pixels."""


def _frame(camera: Camera) -> Frame:
    """The first frame that a camera of RGB pixels reads."""
    return np.concatenate([burst.rows for burst in camera(0, 0.0)])


def preset_pictures() -> list[Picture]:
    """The street in every light, and a part of it enlarged."""
    geometry = SensorGeometry(210, 240)
    picture = street(geometry).picture
    pictures = []
    for name, config in PRESETS.items():
        white = min(config.white_photons * config.quantum_efficiency, config.full_well_e)
        caption = f"{name}\nwhite: {white:,.0f} electrons" if config.shot_noise else f"{name}\nno noise"
        pictures.append((caption, Sensor(config, geometry).frame(picture)))
    left, top, size = 95, 75, 100
    details = [
        (f"{name}, enlarged", pixels[top : top + size, left : left + size])
        for name, (_, pixels) in zip(PRESETS, pictures, strict=True)
    ]
    return pictures + details


def shutter_pictures() -> list[Picture]:
    """Draws a moving scene under a rolling shutter beside a global one."""
    geometry = SensorGeometry(210, 240)
    empty, walked = (street(geometry, walker=walker).picture for walker in (False, True))
    figure = walked[80:180, 115:165]
    mask = np.abs(figure.astype(int) - empty[80:180, 115:165]).sum(axis=2) > 150  # edges half way in
    walking = SpriteScene(empty, figure, (60.0, 80.0), (PAN_PX_S, 0.0), mask)
    timing = ReadoutTiming()
    return [
        (f"{what},\n{shutter.value} shutter", _frame(Camera(scene, geometry, timing, PRESETS["ideal"], shutter)))
        for what, scene in (("passing street", _passing(geometry)), ("somebody running", walking))
        for shutter in Shutter
    ]


def colour_pictures() -> list[Picture]:
    """The walker as each kind of pixel sees him, and what the service makes of a mosaic."""

    def seen(pixel_format: PixelFormat) -> Frame:
        return Sensor(PRESETS["indoor"], SensorGeometry(105, 120, 5, pixel_format)).frame(picture)

    picture = street(SensorGeometry(105, 120)).picture
    mosaic = seen(PixelFormat.BAYER_RGGB8)
    pictures = [
        ("rgb8", seen(PixelFormat.RGB8)),
        ("mono8", np.repeat(seen(PixelFormat.MONO8), 3, axis=2)),
        ("bayer_rggb8, as sent", np.repeat(mosaic, 3, axis=2)),
        ("bayer_rggb8, filled in", rgb_frame(mosaic, "bayer_rggb8")),
    ]
    return [(caption, pixels[36:92, 44:108]) for caption, pixels in pictures]


def profile_pictures() -> list[Picture]:
    """A row of profiles with their rolling shutters, and the same with a global one under it."""
    geometry = SensorGeometry(105, 120)
    pictures = []
    for first in range(0, len(PROFILES), PROFILES_A_ROW):
        names = list(PROFILES)[first : first + PROFILES_A_ROW]
        for shutter in Shutter:
            for name in names:
                choice = SensorChoice(preset="daylight", profile=name, shutter=shutter)
                camera, pixels = choice.camera(_passing(geometry), geometry), PROFILES[name].binning(geometry)
                timing = f"{camera.timing.line_time_us:.0f} us a row, {pixels} x {pixels} px averaged"
                rolling = shutter is Shutter.ROLLING
                pictures.append((f"{name}\n{timing}" if rolling else "global shutter", _frame(camera)))
    return pictures


def _passing(geometry: SensorGeometry) -> PanningScene:
    """The street passing by, at a speed that fits the frame's width."""
    wide = replace(geometry, width=2 * geometry.width)
    return PanningScene(street(wide).picture, geometry.width, PAN_PX_S * geometry.width / 240)
