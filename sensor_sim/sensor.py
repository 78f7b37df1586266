"""From light to digital numbers, in the terms of EMVA 1288 (release 4.0): the linear camera model with its noise.

Symbols of the standard: photons mu_p, quantum efficiency eta, electrons mu_e, dark current mu_I, dark noise sigma_d,
full well mu_e.sat, overall system gain K (DN/e), black level mu_y.dark, digital number y (DN). Noise belongs to the
row: each row of each frame draws from a Philox generator whose counter is (frame, row), so that no way of cutting a
frame into calls changes a bit.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sensor_sim.burst import Frame, PixelFormat, SensorGeometry

Light = npt.NDArray[np.float32]
"""Linear light, 1.0 for white: (rows, W, 3) RGB, or (rows, W, channels) behind the colour filters."""

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Shares of linear R, G, B in the luminance (ITU-R BT.709)."""

LUMINOUS_EFFICACY_LM_W = 683.0
"""Luminous efficacy of light of 555 nm, by the definition of the candela (SI); used for the scene's whole spectrum."""
WAVELENGTH_UM = 0.555
PHOTONS_PER_UM2_MS_UM_UW_CM2 = 50.34
"""mu_p = 50.34 * A [um2] * t_exp [ms] * wavelength [um] * E [uW/cm2] (EMVA 1288, equation 3)."""

BIT_DEPTHS = (8, 10, 12)
MAX_FULL_WELL_E = 2**24
"""Largest full well: electrons are counted in float32, which is exact up to this number."""


@dataclass(frozen=True, slots=True)
class SensorConfig:
    """One sensor behind one lens in one light.

    Attributes:
        luminance_cd_m2: luminance of a white surface in the scene.
        exposure_us: exposure time t_exp.
        f_number: f-number of the lens.
        lens_transmittance: share of the light that the lens lets through, 0..1.
        pixel_area_um2: area of a pixel A.
        quantum_efficiency: eta, electrons per photon, 0..1.
        shot_noise: true: electrons are counted with Poisson noise; false: their mean is taken.
        dark_current_e_s: mu_I at `reference_temperature_c`, electrons a second.
        reference_temperature_c: temperature at which `dark_current_e_s` holds.
        doubling_temperature_c: rise of temperature that doubles the dark current.
        temperature_c: temperature of the sensor.
        prnu: photo response nonuniformity, standard deviation over the pixels as a share of the response.
        dsnu_e: dark signal nonuniformity, standard deviation over the pixels, electrons.
        full_well_e: mu_e.sat, electrons that a pixel holds.
        read_noise_e: standard deviation of the electronics' noise, electrons.
        gain_dn_e: K, digital numbers per electron, analog and digital gain together.
        black_level_dn: digital number of darkness.
        bits: bits of the converter: 8, 10 or 12.
        srgb: true: the output stage encodes as sRGB, on which networks are trained; false: the output is linear.

    Raises:
        ValueError: a value outside its range; the message names it.
    """

    luminance_cd_m2: float = 100.0
    exposure_us: float = 10_000.0
    f_number: float = 2.0
    lens_transmittance: float = 0.9
    pixel_area_um2: float = 12.96
    quantum_efficiency: float = 0.6
    shot_noise: bool = True
    dark_current_e_s: float = 30.0
    reference_temperature_c: float = 30.0
    doubling_temperature_c: float = 8.0
    temperature_c: float = 25.0
    prnu: float = 0.01
    dsnu_e: float = 1.5
    full_well_e: float = 6000.0
    read_noise_e: float = 4.0
    gain_dn_e: float = 0.16
    black_level_dn: float = 64.0
    bits: int = 10
    srgb: bool = True

    def __post_init__(self) -> None:
        for name in ("f_number", "pixel_area_um2", "doubling_temperature_c", "full_well_e", "gain_dn_e", "exposure_us"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be above 0, not {value}")
        for name in ("luminance_cd_m2", "dark_current_e_s", "prnu", "dsnu_e", "read_noise_e", "black_level_dn"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be 0 or more, not {value}")
        for name in ("lens_transmittance", "quantum_efficiency"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in 0..1, not {getattr(self, name)}")
        if self.bits not in BIT_DEPTHS:
            raise ValueError(f"bits must be one of {', '.join(map(str, BIT_DEPTHS))}, not {self.bits}")
        if self.full_well_e > MAX_FULL_WELL_E:
            raise ValueError(f"full_well_e must be at most {MAX_FULL_WELL_E}, not {self.full_well_e}")
        if self.black_level_dn >= self.max_dn:
            raise ValueError(f"black_level_dn must be below {self.max_dn}, not {self.black_level_dn}")

    @property
    def max_dn(self) -> int:
        """Largest digital number, 2^bits - 1."""
        return (1 << self.bits) - 1

    @property
    def white_photons(self) -> float:
        """mu_p of a white pixel: photons in one exposure.

        Illuminance behind the lens E_v = pi/4 * L * T / N^2 (lx), as irradiance E = E_v / 683 (W/m2).
        """
        illuminance_lx = math.pi / 4 * self.luminance_cd_m2 * self.lens_transmittance / self.f_number**2
        irradiance_uw_cm2 = illuminance_lx / LUMINOUS_EFFICACY_LM_W * 100
        exposure_ms = self.exposure_us / 1000
        return PHOTONS_PER_UM2_MS_UM_UW_CM2 * self.pixel_area_um2 * exposure_ms * WAVELENGTH_UM * irradiance_uw_cm2

    @property
    def dark_electrons(self) -> float:
        """mu_I * t_exp: mean electrons of the dark current in one exposure."""
        warmth = (self.temperature_c - self.reference_temperature_c) / self.doubling_temperature_c
        return self.dark_current_e_s * 2**warmth * self.exposure_us / 1e6

    @property
    def dark_noise_e(self) -> float:
        """sigma_d: temporal noise in the dark, electrons."""
        return math.sqrt(self.read_noise_e**2 + (self.dark_electrons if self.shot_noise else 0))

    def binned(self, factor: int) -> "SensorConfig":
        """The sensor whose pixels are the mean of `factor` x `factor` pixels of this sensor.

        Collecting area, full well and dark current grow by factor^2. Read noise, PRNU and DSNU are independent from
        pixel to pixel and average out; the mean is quantised, not each pixel.
        """
        pixels = factor * factor
        return replace(
            self,
            pixel_area_um2=self.pixel_area_um2 * pixels,
            dark_current_e_s=self.dark_current_e_s * pixels,
            full_well_e=self.full_well_e * pixels,
            read_noise_e=self.read_noise_e * factor,
            dsnu_e=self.dsnu_e * factor,
            prnu=self.prnu / factor,
            gain_dn_e=self.gain_dn_e / pixels,
        )


def _ideal() -> SensorConfig:
    """A sensor without noise, with white at the largest digital number: 12 bits give every 8-bit sRGB value back."""
    plain = SensorConfig(
        shot_noise=False, dark_current_e_s=0, prnu=0, dsnu_e=0, read_noise_e=0, black_level_dn=0, bits=12
    )
    return replace(plain, gain_dn_e=plain.max_dn / (plain.white_photons * plain.quantum_efficiency))


PRESETS: dict[str, SensorConfig] = {
    "ideal": _ideal(),
    "daylight": SensorConfig(luminance_cd_m2=10_000, exposure_us=100, temperature_c=40, gain_dn_e=0.16),
    "indoor": SensorConfig(luminance_cd_m2=40, exposure_us=10_000, gain_dn_e=0.4),
    "dusk": SensorConfig(luminance_cd_m2=2, exposure_us=30_000, temperature_c=20, read_noise_e=3, gain_dn_e=2.56),
    "night": SensorConfig(luminance_cd_m2=0.3, exposure_us=30_000, temperature_c=15, read_noise_e=3, gain_dn_e=10.24),
}
"""A small rolling-shutter sensor (3.6 um pixels, f/2) in five lights; typical values, not those of one part.

White is sunlit paper, paper in a living room, at dusk, and under a street lamp at night; dusk and night are exposed
for as long as 30 frames a second allow, and amplified 16 and 64 times.
"""


def linear_light(pixels: npt.NDArray[np.uint8]) -> Light:
    """Linear light in 0..1 of sRGB values (IEC 61966-2-1), in the same shape."""
    return _LINEAR[pixels]


def _srgb_to_linear() -> npt.NDArray[np.float32]:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _srgb_to_linear()


def behind_filters(light: Light, pixel_format: PixelFormat, first_row: int) -> Light:
    """Light on the pixels behind the colour filters: rows (n, W, 3) of linear light -> (n, W, channels).

    RGB: all three colours in every pixel. Mono: the luminance. Bayer: one colour a pixel.

    Args:
        light: consecutive rows of the scene.
        pixel_format: the filters.
        first_row: place in the frame of the first row; chooses the colours of a mosaic.
    """
    pattern = pixel_format.pattern
    if pixel_format is PixelFormat.RGB8:
        return light
    if pattern is None:
        red, green, blue = (light[..., colour] * share for colour, share in enumerate(LUMINANCE))
        # Not `@`: BLAS sums in an order of its own.
        return np.asarray((red + green + blue)[..., None])
    filtered = np.empty((*light.shape[:2], 1), np.float32)
    for row in range(min(2, len(light))):
        for column in range(2):
            colour = "rgb".index(pattern[2 * ((first_row + row) % 2) + column])
            filtered[row::2, column::2, 0] = light[row::2, column::2, colour]
    return filtered


class RowGenerators:
    """Random generators, one for each row: Philox (Salmon et al. 2011) keyed by the seed, with (frame, row) as counter.

    Args:
        seed: 0 or more.
        purpose: numbers that separate uses of the same seed: another purpose gives other draws.
    """

    def __init__(self, seed: int, purpose: tuple[int, ...] = ()) -> None:
        sequence = np.random.SeedSequence(seed, spawn_key=purpose)
        self._generator = np.random.Generator(np.random.Philox(sequence))
        self._philox = self._generator.bit_generator
        self._state = dict(self._philox.state)
        self._counter = self._state["state"]["counter"]
        self._counter[:] = 0

    def of(self, frame_id: int, row: int) -> np.random.Generator:
        """The generator, set to the row's first draw; valid until the next call of `of`."""
        self._counter[2], self._counter[3] = row, frame_id
        # Setting the state costs a microsecond, a new generator fourteen.
        self._philox.state = self._state
        return self._generator


class Sensor:
    """One piece of silicon: a configuration, and the nonuniformity of this piece.

    Electrons of light and of dark current fill the well; dark signal nonuniformity and read noise are added after it.

    Args:
        config: the sensor, its lens and its light.
        geometry: rows, columns and colour filters.
        seed: seed of this piece's nonuniformity and of all noise.
    """

    def __init__(self, config: SensorConfig, geometry: SensorGeometry, seed: int = 0) -> None:
        self.config, self.geometry = config, geometry
        self._generators = RowGenerators(seed)
        maps = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(0,))))
        shape = geometry.sample_shape
        response = np.maximum(1 + config.prnu * maps.standard_normal(shape, np.float32), 0)
        self._electrons_at_white = response * np.float32(config.white_photons * config.quantum_efficiency)
        self._offset_e = np.float32(config.dsnu_e) * maps.standard_normal(shape, np.float32)

    def digital_numbers(self, light: Light, frame_id: int, first_row: int) -> npt.NDArray[np.uint16]:
        """The converter's output for consecutive rows.

        Args:
            light: (n, W, channels) linear light behind the filters, 1 for white.
            frame_id: number of the frame; chooses the noise.
            first_row: place of the first row in the frame; chooses noise, nonuniformity and filters.

        Returns:
            (n, W, channels) uint16 in 0 .. `max_dn`.

        Raises:
            ValueError: rows of another shape, or beyond the frame.
        """
        config = self.config
        rows = slice(first_row, first_row + len(light))
        if first_row < 0 or light.shape != self._offset_e[rows].shape:
            raise ValueError(
                f"light must be rows of a frame {self.geometry.sample_shape}, not {light.shape} from row {first_row}"
            )
        electrons = light * self._electrons_at_white[rows]
        electrons += np.float32(config.dark_electrons)
        noise = np.empty_like(electrons)
        for index in range(len(electrons)):
            rng = self._generators.of(frame_id, first_row + index)
            if config.shot_noise:
                electrons[index] = rng.poisson(electrons[index])
            if config.read_noise_e:
                rng.standard_normal(out=noise[index], dtype=np.float32)
        np.minimum(electrons, np.float32(config.full_well_e), out=electrons)
        electrons += self._offset_e[rows]
        if config.read_noise_e:
            noise *= np.float32(config.read_noise_e)
            electrons += noise
        electrons *= np.float32(config.gain_dn_e)
        electrons += np.float32(config.black_level_dn)
        np.rint(electrons, out=electrons)
        np.clip(electrons, 0, config.max_dn, out=electrons)
        numbers: npt.NDArray[np.uint16] = electrons.astype(np.uint16)
        return numbers

    def rows(self, light: Light, frame_id: int, first_row: int) -> npt.NDArray[np.uint8]:
        """Rows as they leave the sensor: (n, W, channels) uint8, from linear light (n, W, 3).

        Raises:
            ValueError: rows of another shape, or beyond the frame.
        """
        filtered = behind_filters(light, self.geometry.pixel_format, first_row)
        rows: npt.NDArray[np.uint8] = self._output[self.digital_numbers(filtered, frame_id, first_row)]
        return rows

    def frame(self, picture: Frame, frame_id: int = 0) -> npt.NDArray[np.uint8]:
        """A whole frame (H, W, channels) uint8, from a still picture (H, W, 3) uint8 sRGB."""
        return self.rows(linear_light(picture), frame_id, 0)

    @cached_property
    def _output(self) -> npt.NDArray[np.uint8]:
        """The output table: for each digital number its 8-bit value, black level subtracted; (`max_dn` + 1,) uint8."""
        config = self.config
        value = (np.arange(config.max_dn + 1) - config.black_level_dn) / (config.max_dn - config.black_level_dn)
        value = np.clip(value, 0, 1)
        if config.srgb:
            value = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
        output: npt.NDArray[np.uint8] = np.rint(255 * value).astype(np.uint8)
        return output
