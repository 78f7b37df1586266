"""`rascanet sensor-sheet`: the pictures and figures of docs/sensor.md."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import console, failing_on
from clients.commands.plot import new_figure, save

if TYPE_CHECKING:
    from clients.commands.table import Table
    from sensor_sim.burst import Frame

FIGURE_DPI = 100


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("sensor-sheet")(sensor_sheet)


def sensor_sheet(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="folder for the pictures")] = Path("docs/sensor"),
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="photographs with an index.csv: adds the accuracy in each light and behind masks, and the certified "
            "exits on pictures of other kinds",
        ),
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="split to evaluate")] = "val",
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="Markdown page whose tables are replaced")] = None,
) -> None:
    """Draws every preset, shutter and profile; with photographs, measures the weights in each light and behind masks.

    Examples:
        rascanet sensor-sheet --out sheet
    """
    from clients.commands.bench.sensor_pictures import (
        colour_pictures,
        preset_pictures,
        profile_pictures,
        shutter_pictures,
    )
    from clients.commands.table import PageError, refresh_page

    _save(out / "presets.webp", preset_pictures(), columns=5)
    _save(out / "shutters.webp", shutter_pictures(), columns=4)
    _save(out / "colours.webp", colour_pictures(), columns=4)
    _save(out / "profiles.webp", profile_pictures(), columns=5)
    with failing_on(OSError, ValueError, PageError):
        tables = {"sheet presets": [preset_table()], "sheet profiles": profile_tables()}
        if photos:
            from clients.commands.bench.sensor_measures import accuracy_table, kinds_table, masks_table, measure
            from model.training.photos import read_photos

            pictures = read_photos(photos, split)
            measured = measure(pictures)
            tables["sheet accuracy"] = [accuracy_table(measured, pictures, out / "accuracy.png")]
            tables["sheet kinds"] = [kinds_table(measured, pictures)]
            tables["sheet masks"] = [masks_table(pictures)]
        for table in itertools.chain(*tables.values()):
            table.show(console)
        if page:
            refresh_page(page, tables)
    console.print(f"pictures in {out}")


def _save(path: Path, pictures: "list[tuple[str, Frame]]", columns: int) -> None:
    """A sheet of pictures with a caption under each, `columns` a row."""
    rows = -(-len(pictures) // columns)
    figure = new_figure(2.4 * columns, 2.5 * rows, FIGURE_DPI)
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_frame_on(False)
        if place < len(pictures):
            caption, picture = pictures[place]
            axes.imshow(picture, interpolation="nearest")
            axes.set_xlabel(caption, fontsize=8)
    save(figure, path)


def preset_table() -> "Table":
    """Table of the settings of each preset, and of the numbers that follow for a white pixel."""
    import math

    from clients.commands.table import Table
    from sensor_sim.sensor import PRESETS

    rows = []
    for name, config in PRESETS.items():
        white_e = min(config.white_photons * config.quantum_efficiency, config.full_well_e)
        spatial_e = math.hypot(config.dsnu_e, config.prnu * white_e)
        shot_e = math.sqrt(white_e) if config.shot_noise else 0.0
        noise_e = math.hypot(shot_e, config.dark_noise_e, spatial_e, math.sqrt(1 / 12) / config.gain_dn_e)
        rows.append(
            (
                name,
                f"{config.luminance_cd_m2:,g}",
                f"{config.exposure_us / 1000:g}",
                f"{config.temperature_c:g}",
                f"{config.gain_dn_e:.3g}",
                f"{config.read_noise_e:g}",
                f"{config.dark_electrons:.2f}",
                f"{white_e:,.0f}",
                f"{20 * math.log10(white_e / noise_e):.0f}",
            )
        )
    headings = (
        "preset", "white (cd/m2)", "exposure (ms)", "sensor (degrees C)", "gain (DN/e)", "read noise (e)",
        "dark current (e a frame)", "electrons of white", "SNR of white (dB)",
    )  # fmt: skip
    note = "SNR: of one pixel in one frame; includes all temporal and spatial noise, and quantisation."
    return Table("Five lights", headings, rows, (note,))


def profile_tables() -> "list[Table]":
    """Timing of every profile, and the registers of those whose registers are known."""
    from clients.commands.table import MISSING, Table
    from sensor_sim.burst import SensorGeometry
    from sensor_sim.profiles import PROFILES, Profile, ProfileError

    def burst_us(profile: Profile, height: int, width: int) -> str:
        geometry = SensorGeometry(height, width)
        try:
            pixels = profile.binning(geometry)
        except ProfileError:
            return MISSING
        return f"{profile.burst_period_us(geometry):,.1f} ({pixels} x {pixels})"

    timing, registers = [], []
    for name, profile in PROFILES.items():
        timing.append(
            (
                f"`{name}`",
                f"{profile.height} x {profile.width}",
                f"{profile.clock_hz / 1e6:g}",
                f"{profile.line_length_pck}",
                f"{profile.frame_length_lines}",
                f"{profile.line_time_us:.1f}",
                f"{profile.horizontal_blanking_us:.1f}",
                f"{profile.vertical_blanking_us / 1000:.2f}",
                burst_us(profile, 210, 240),
                burst_us(profile, 105, 120),
                f"{profile.frames_per_second:.1f}",
                profile.source,
            )
        )
        if profile.ranges:
            longest = profile.frame_length_lines - profile.ranges.exposure_margin_lines
            registers.append(
                (
                    f"`{name}`",
                    f"{profile.ranges.min_exposure_lines} to {longest}",
                    f"{profile.line_time_us * profile.ranges.min_exposure_lines:,.0f} to "
                    f"{profile.line_time_us * longest:,.0f}",
                    ", ".join(map(str, profile.ranges.analog_gains)),
                    f"{profile.frame_length_lines} to {profile.ranges.max_frame_length_lines:,}",
                )
            )
    return [
        Table(
            "Timing of real parts",
            (
                "profile",
                "rows x columns",
                "pixel clock (MHz)",
                "line (clocks)",
                "frame (lines)",
                "line time (us)",
                "of it blank (us)",
                "vertical blanking (ms)",
                "burst of 210x240 (us, pixels averaged)",
                "burst of 105x120 (us, pixels averaged)",
                "frames a second",
                "source",
            ),
            timing,
        ),
        Table(
            "Registers",
            ("profile", "exposure (lines)", "exposure (us)", "analog gain", "frame length (lines)"),
            registers,
            (
                "A longer frame allows a longer exposure: the longest one is always the same number of lines shorter "
                "than the frame.",
            ),
        ),
    ]
