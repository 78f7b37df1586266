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
            tables["sheet accuracy"] = [_accuracy(photos, split, out / "accuracy.png")]
            tables["sheet kinds"] = [_kinds(photos, split)]
            tables["sheet masks"] = [_masks(photos, split)]
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
    """What each preset sets, and what follows for a white pixel."""
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
    note = "SNR: of one pixel in one frame, all temporal and spatial noise and the quantisation in it."
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
            ("A longer frame allows a longer exposure; it ends as many lines before the frame does.",),
        ),
    ]


def _accuracy(photos: Path, split: str, plot: Path) -> "Table":
    """Balanced accuracy of the shipped weights over the presets, as a table and a plot."""
    import numpy as np

    from clients.commands.table import Table
    from model.checkpoint import load_checkpoint, shipped_weights
    from model.config import VARIANTS
    from model.runtime import load_runtime
    from model.training.light_metrics import preset_metrics
    from model.training.photos import load_frames, read_photos
    from sensor_sim.sensor import PRESETS

    pictures = read_photos(photos, split)
    figure = new_figure(7, 3.4, FIGURE_DPI)
    axes = figure.subplots()
    rows = []
    shipped = [variant for variant in VARIANTS if shipped_weights(variant).is_file()]
    for place, variant in enumerate(shipped):
        runtime = load_runtime(load_checkpoint(shipped_weights(variant)))
        frames = load_frames(pictures, runtime.config.height, runtime.config.width)
        figures = []
        for name, metrics in preset_metrics(runtime, frames, pictures.labels):
            low, high = metrics.interval
            figures.append((metrics.balanced_accuracy, low, high))
            rows.append(
                (
                    variant,
                    name,
                    f"{metrics.balanced_accuracy:.1%} ({low:.1%} to {high:.1%})",
                    f"{metrics.persons_found:.1%}",
                    f"{metrics.empties_kept:.1%}",
                    f"{metrics.auroc:.3f}",
                )
            )
        middle, least, most = 100 * np.array(figures).T
        axes.errorbar(
            np.arange(len(middle)) + 0.08 * place,
            middle,
            [middle - least, most - middle],
            fmt="o-",
            capsize=3,
            label=variant,
        )
    axes.set_xticks(range(len(PRESETS)), list(PRESETS))
    axes.set_ylabel("balanced accuracy, %")
    axes.axhline(50, color="grey", linewidth=0.8, linestyle=":")
    axes.legend()
    save(figure, plot)
    counts = f"{int(pictures.labels.sum())} + {int((1 - pictures.labels).sum())}"
    headings = ("weights", "preset", "balanced accuracy (95 % interval)", "person found", "empty kept", "AUROC")
    note = f"On `{split}`: {counts} pictures with and without a person, full frames, threshold 0.5."
    return Table("Shipped weights in five lights", headings, rows, (note,))


def _kinds(photos: Path, split: str) -> "Table":
    """What certified exits lose of each kind of picture, and whether audits notice."""
    from clients.commands.table import MISSING, Table
    from model.certificate import certified_policy
    from model.checkpoint import load_checkpoint, shipped_weights
    from model.config import VARIANTS
    from model.risk_monitor import expected_audits
    from model.runtime import load_runtime
    from model.training.kind_metrics import kind_figures
    from model.training.photos import load_frames, read_photos
    from server.settings import Settings

    pictures = read_photos(photos, split)
    alpha = Settings.model_fields["audit_alpha"].default
    rows = []
    for variant in VARIANTS:
        weights = shipped_weights(variant)
        if not weights.is_file():
            continue
        checkpoint = load_checkpoint(weights)
        policy = certified_policy(weights, checkpoint.digest)
        if policy is None:
            continue
        runtime = load_runtime(checkpoint)
        frames = load_frames(pictures, runtime.config.height, runtime.config.width)
        for figures in kind_figures(runtime, policy, frames, pictures):
            lost, (low, high) = float(figures.lost.mean()), figures.interval
            above = policy.risk < lost < 1
            rows.append(
                (
                    variant,
                    figures.name,
                    f"{lost:.1%} ({low:.1%} to {high:.1%})",
                    f"{figures.processed_ratio:.0%}",
                    f"{figures.persons_said:.0%}",
                    f"after {expected_audits(lost, policy.risk, alpha):,.0f} audits" if above else MISSING,
                )
            )
    headings = ("weights", "kind", "exits lost", "read", "decided as person", "alarm")
    note = (
        f"On `{split}`, {len(pictures.labels)} pictures. Exits lost: decisions of the certified policy that are not "
        "those of the full frame of that kind. Alarm: about when audits refute the certificate; none where no more is "
        "lost than it promises."
    )
    return Table("Certified exits on other kinds of pictures", headings, rows, (note,))


def _masks(photos: Path, split: str) -> "Table":
    """Figures of the shipped weights, and of their certified exits, behind masks."""
    from clients.commands.table import MISSING, Table
    from model.certificate import certified_policy
    from model.checkpoint import load_checkpoint, shipped_weights
    from model.config import VARIANTS
    from model.exit_policy import NeverExitPolicy
    from model.runtime import load_runtime
    from model.training.mask_metrics import MOST_COVERED, mask_figures
    from model.training.photos import load_frames, read_photos

    pictures = read_photos(photos, split)
    rows = []
    for variant in VARIANTS:
        weights = shipped_weights(variant)
        if not weights.is_file():
            continue
        checkpoint = load_checkpoint(weights)
        policy = certified_policy(weights, checkpoint.digest)
        runtime = load_runtime(checkpoint)
        frames = load_frames(pictures, runtime.config.height, runtime.config.width)
        for figures in mask_figures(runtime, policy or NeverExitPolicy(), frames, pictures):
            low, high = figures.masked.interval
            lost, least, most = figures.lost
            rows.append(
                (
                    variant,
                    figures.name,
                    f"{figures.pictures}",
                    f"{figures.masked.balanced_accuracy:.1%} ({low:.1%} to {high:.1%})",
                    f"{figures.whole.balanced_accuracy:.1%}",
                    f"{figures.region.balanced_accuracy:.1%}",
                    f"{figures.masked.persons_found:.1%}",
                    f"{figures.masked.empties_kept:.1%}",
                    f"{lost:.1%} ({least:.1%} to {most:.1%})" if policy else MISSING,
                    f"{figures.processed_ratio:.0%}" if policy else MISSING,
                )
            )
    headings = (
        "weights", "mask", "pictures", "balanced accuracy (95 % interval)", "without mask", "the rest as a region",
        "person found", "empty kept", "exits lost", "read",
    )  # fmt: skip
    note = (
        f"On `{split}`: the pictures without a person, and those whose largest person is at most {MOST_COVERED:.0%} "
        "behind the mask; full frames, threshold 0.5. Without mask: the same pictures. The rest as a region: cut to "
        "the part that the mask leaves. Exits lost: decisions of the certified policy that are not those of the full "
        "frame behind the same mask. Read: share of the rows under that policy."
    )
    return Table("Shipped weights behind masks", headings, rows, (note,))
