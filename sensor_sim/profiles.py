"""Timing and registers of real sensors: line length, frame length, pixel clock, and the times that follow."""

from dataclasses import dataclass, replace

from sensor_sim.burst import SensorGeometry
from sensor_sim.readout import ReadoutTiming
from sensor_sim.sensor import SensorConfig

OPENMV = "github.com/openmv/openmv src/omv/sensors/"
ARDUINO = "github.com/arduino/ArduinoCore-mbed libraries/Himax_HM01B0/himax.cpp"

HIMAX_GAINS = (1, 2, 4, 8, 16)
MAX_FRAME_LENGTH_LINES = 0xFFFF
"""FRAME_LEN_LINES and INTEGRATION are registers of 16 bits."""


class ProfileError(ValueError):
    """An unknown sensor or mode, or a register setting that the sensor refuses."""


@dataclass(frozen=True, slots=True)
class RegisterRanges:
    """Register values that a driver may set.

    Attributes:
        min_exposure_lines: least exposure, in lines.
        exposure_margin_lines: least number of lines between the end of the exposure and the end of the frame.
        analog_gains: factors that the sensor has.
        max_frame_length_lines: longest frame, blanking included.
    """

    min_exposure_lines: int
    exposure_margin_lines: int
    analog_gains: tuple[int, ...] = HIMAX_GAINS
    max_frame_length_lines: int = MAX_FRAME_LENGTH_LINES


@dataclass(frozen=True, slots=True)
class Registers:
    """Values of the registers that a driver sets.

    Attributes:
        exposure_lines: coarse integration time, in lines.
        analog_gain: factor on the system gain K.
        frame_length_lines: lines from one frame to the next, blanking included.
    """

    exposure_lines: int
    analog_gain: int
    frame_length_lines: int


@dataclass(frozen=True, slots=True)
class Profile:
    """One mode of one sensor.

    Attributes:
        sensor: name of the part.
        mode: name of the mode.
        width, height: pixels read out.
        line_length_pck: pixel clocks of a line, horizontal blanking included.
        frame_length_lines: lines of a frame, vertical blanking included.
        clock_hz: frequency of the pixel clock that `line_length_pck` counts.
        source: document or driver that the figures are from.
        ranges: legal register settings; None where the timing alone is known.
    """

    sensor: str
    mode: str
    width: int
    height: int
    line_length_pck: int
    frame_length_lines: int
    clock_hz: float
    source: str
    ranges: RegisterRanges | None = None

    @property
    def name(self) -> str:
        return f"{self.sensor}-{self.mode}"

    @property
    def label(self) -> str:
        """Name for people, such as `HM01B0 QVGA`."""
        return f"{self.sensor} {self.mode}".upper()

    @property
    def line_time_us(self) -> float:
        return self.line_length_pck / self.clock_hz * 1e6

    @property
    def horizontal_blanking_us(self) -> float:
        """Part of the line time in which no pixel is read."""
        return self.line_time_us * (1 - self.width / self.line_length_pck)

    @property
    def vertical_blanking_lines(self) -> int:
        return self.frame_length_lines - self.height

    @property
    def vertical_blanking_us(self) -> float:
        """Part of the frame period in which no line is read."""
        return self.vertical_blanking_lines * self.line_time_us

    @property
    def frame_period_us(self) -> float:
        return self.frame_length_lines * self.line_time_us

    @property
    def frames_per_second(self) -> float:
        return 1e6 / self.frame_period_us

    def binning(self, geometry: SensorGeometry) -> int:
        """The largest n with which n x n sensor pixels make one pixel of the network.

        A window of n times the network's size is cut from the middle and averaged over n x n pixels; pixels outside the
        window are not read. Nothing is enlarged.

        Raises:
            ProfileError: the mode has fewer pixels than the network wants.
        """
        factor = min(self.width // geometry.width, self.height // geometry.height)
        if not factor:
            raise ProfileError(
                f"{self.name} has {self.height} x {self.width} px, the network wants {geometry.height} x "
                f"{geometry.width}; choose a mode with more pixels"
            )
        return factor

    def window(self, geometry: SensorGeometry) -> tuple[int, int, int, int]:
        """The window of the sensor's pixels that is used: first row, first column, rows, columns.

        Raises:
            ProfileError: the mode has fewer pixels than the network wants.
        """
        factor = self.binning(geometry)
        rows, columns = factor * geometry.height, factor * geometry.width
        return (self.height - rows) // 2, (self.width - columns) // 2, rows, columns

    def burst_period_us(self, geometry: SensorGeometry) -> float:
        """Time from one burst of the network's rows to the next.

        Raises:
            ProfileError: the mode has fewer pixels than the network wants.
        """
        return geometry.burst_rows * self.binning(geometry) * self.line_time_us

    def timing(
        self, geometry: SensorGeometry, registers: Registers | None = None, *, restart_on_exit: bool = False
    ) -> ReadoutTiming:
        """The timing of the network's rows: one row every `binning` lines, frame after frame.

        Args:
            geometry: the network's rows and columns.
            registers: the register settings; None: the mode's own frame length.
            restart_on_exit: true if an exit starts the next frame at once.

        Raises:
            ProfileError: the mode has fewer pixels than the network wants.
        """
        lines = registers.frame_length_lines if registers else self.frame_length_lines
        return ReadoutTiming(
            self.binning(geometry) * self.line_time_us, lines * self.line_time_us, restart_on_exit=restart_on_exit
        )

    def registers(
        self, exposure_us: float | None = None, analog_gain: int = 1, frame_length_lines: int | None = None
    ) -> Registers:
        """Makes register settings; the exposure is rounded to lines and clamped to the legal range, as drivers do.

        Args:
            exposure_us: exposure time; None: the longest that the frame allows.
            analog_gain: factor on the system gain, one of `RegisterRanges.analog_gains`.
            frame_length_lines: lines of a frame; None: the mode's own.

        Raises:
            ProfileError: a gain or frame length that the sensor doesn't have, or a profile without `ranges`.
        """
        ranges = self._ranges()
        frame_length = self.frame_length_lines if frame_length_lines is None else frame_length_lines
        longest = frame_length - ranges.exposure_margin_lines
        lines = longest if exposure_us is None else round(exposure_us / self.line_time_us)
        settings = Registers(max(ranges.min_exposure_lines, min(lines, longest)), analog_gain, frame_length)
        self.check(settings)
        return settings

    def check(self, registers: Registers) -> None:
        """Checks that register settings are legal.

        Raises:
            ProfileError: an illegal setting; the message names the register and its range.
        """
        ranges = self._ranges()
        longest = registers.frame_length_lines - ranges.exposure_margin_lines
        if not self.frame_length_lines <= registers.frame_length_lines <= ranges.max_frame_length_lines:
            raise ProfileError(
                f"{self.name}: frame_length_lines must be {self.frame_length_lines} to "
                f"{ranges.max_frame_length_lines}, not {registers.frame_length_lines}"
            )
        if not ranges.min_exposure_lines <= registers.exposure_lines <= longest:
            raise ProfileError(
                f"{self.name}: exposure_lines must be {ranges.min_exposure_lines} to {longest}, "
                f"not {registers.exposure_lines}"
            )
        if registers.analog_gain not in ranges.analog_gains:
            raise ProfileError(
                f"{self.name}: analog_gain must be one of {', '.join(map(str, ranges.analog_gains))}, "
                f"not {registers.analog_gain}"
            )

    def exposed(self, config: SensorConfig, registers: Registers) -> SensorConfig:
        """The configuration under these registers: exposure in lines, and the analog gain on top of its gain.

        Raises:
            ProfileError: illegal settings.
        """
        self.check(registers)
        return replace(
            config,
            exposure_us=registers.exposure_lines * self.line_time_us,
            gain_dn_e=config.gain_dn_e * registers.analog_gain,
        )

    def _ranges(self) -> RegisterRanges:
        if self.ranges is None:
            raise ProfileError(f"{self.name}: only the timing of this sensor is known, not its registers")
        return self.ranges


_HM01B0 = RegisterRanges(min_exposure_lines=2, exposure_margin_lines=2)
_HM0360 = RegisterRanges(min_exposure_lines=2, exposure_margin_lines=4)
_OV7670_SOURCE = "forum.arduino.cc/t/386514: 784 pixels a line, 2 clocks each, 510 lines"
_MT9V012_SOURCE = "MT9V012 data sheet, p. 12: 640 + 244 pixels, 480 + 29 lines, 27 MHz master clock / 2"

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("generic", "qvga", 320, 240, 400, 250, 3e6, "round figures of our own", RegisterRanges(1, 1)),
        Profile("hm01b0", "qvga", 320, 240, 376, 260, 3e6, ARDUINO, _HM01B0),
        Profile("hm01b0", "qvga60", 320, 240, 376, 260, 6e6, ARDUINO, _HM01B0),
        Profile("hm01b0", "qqvga", 160, 120, 376, 132, 3e6, ARDUINO, _HM01B0),
        Profile(
            "hm01b0",
            "full",
            320,
            320,
            376,
            342,  # drivers write 265, fewer than the rows; the register MAX_INTG's own default, 340, says 342
            3e6,
            OPENMV + "hm01b0.c (default of MAX_INTG, 2 lines less than the frame)",
            _HM01B0,
        ),
        Profile("hm0360", "vga", 640, 480, 768, 532, 24e6, OPENMV + "hm0360.c", _HM0360),
        Profile("hm0360", "qvga", 320, 240, 376, 265, 12e6, OPENMV + "hm0360.c", _HM0360),
        Profile("hm0360", "qqvga", 160, 120, 376, 132, 12e6, OPENMV + "hm0360.c", _HM0360),
        Profile("ov7670", "vga", 640, 480, 784, 510, 12e6, _OV7670_SOURCE),
        Profile("mt9v012", "vga", 640, 480, 884, 509, 13.5e6, _MT9V012_SOURCE),
    )
}
