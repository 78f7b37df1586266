"""`rascanet sensor-sheet`: the pictures and figures of docs/sensor.md."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clients.commands.console import console, failing_on
from clients.commands.plot import new_figure, save

if TYPE_CHECKING:
    from clients.commands.table import Table
    from sensor_sim.burst import Frame
    from sensor_sim.camera import Camera

PAN_PX_S = 900.0
"""How fast the street passes by in the pictures of shutters and profiles: four times the frame's width a second."""
FIGURE_DPI = 100


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("sensor-sheet")(sensor_sheet)


def sensor_sheet(
    out: Annotated[Path, typer.Option(help="folder for the pictures")] = Path("docs/sensor"),
    photos: Annotated[
        Path | None, typer.Option(help="photographs with an index.csv: adds the accuracy over the presets")
    ] = None,
    split: Annotated[str, typer.Option(help="split to evaluate")] = "val",
    page: Annotated[Path | None, typer.Option(help="Markdown page whose accuracy table is replaced")] = None,
) -> None:
    """Draws every preset, shutter and profile; with photographs, measures the shipped weights in each light."""
    from clients.commands.table import PageError, refresh_page

    _save(out / "presets.png", _preset_pictures(), columns=5)
    _save(out / "shutters.png", _shutter_pictures(), columns=4)
    _save(out / "profiles.png", _profile_pictures(), columns=5)
    if photos:
        with failing_on(OSError, ValueError, PageError):
            table = _accuracy(photos, split, out / "accuracy.png")
            table.show(console)
            if page:
                refresh_page(page, {"sheet accuracy": [table]})
    console.print(f"pictures in {out}")


def _save(path: Path, pictures: "list[tuple[str, Frame]]", columns: int) -> None:
    """A sheet of pictures with a caption under each, `columns` a row."""
    rows = -(-len(pictures) // columns)
    figure = new_figure(2.4 * columns, 2.5 * rows, FIGURE_DPI)
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if place < len(pictures):
            caption, picture = pictures[place]
            axes.imshow(picture, interpolation="nearest")
            axes.set_title(caption, fontsize=8)
    save(figure, path)


def _frame(camera: "Camera") -> "Frame":
    """The first frame that a camera of RGB pixels reads."""
    import numpy as np

    return np.concatenate([burst.rows for burst in camera(0, 0.0)])


def _preset_pictures() -> "list[tuple[str, Frame]]":
    from sensor_sim.burst import SensorGeometry
    from sensor_sim.charts import street
    from sensor_sim.sensor import PRESETS, Sensor

    geometry = SensorGeometry(210, 240)
    picture = street(geometry).rows(0, _still(geometry.height))
    pictures = []
    for name, config in PRESETS.items():
        white = min(config.white_photons * config.quantum_efficiency, config.full_well_e)
        caption = f"{name}\nwhite: {white:,.0f} electrons" if config.shot_noise else f"{name}\nno noise"
        pictures.append((caption, Sensor(config, geometry).frame(picture)))
    return pictures


def _shutter_pictures() -> "list[tuple[str, Frame]]":
    from sensor_sim.burst import SensorGeometry
    from sensor_sim.camera import Camera, Shutter
    from sensor_sim.charts import street
    from sensor_sim.readout import ReadoutTiming
    from sensor_sim.scene import SpriteScene
    from sensor_sim.sensor import PRESETS

    geometry = SensorGeometry(210, 240)
    picture = street(geometry).rows(0, _still(geometry.height))
    walking = SpriteScene(picture, picture[80:180, 115:165], (20.0, 90.0), (PAN_PX_S, 0.0))
    timing = ReadoutTiming()
    return [
        (f"{what}, {shutter.value} shutter", _frame(Camera(scene, geometry, timing, PRESETS["ideal"], shutter)))
        for what, scene in (("passing street", _passing(geometry)), ("moving sprite", walking))
        for shutter in Shutter
    ]


def _profile_pictures() -> "list[tuple[str, Frame]]":
    from clients.commands.stream_sensor import SensorChoice
    from sensor_sim.burst import SensorGeometry
    from sensor_sim.profiles import PROFILES

    geometry = SensorGeometry(105, 120)
    pictures = []
    for name, profile in PROFILES.items():
        camera = SensorChoice(preset="daylight", profile=name).camera(_passing(geometry), geometry)
        pixels = profile.binning(geometry)
        timing = f"{camera.timing.line_time_us:.0f} us a row, {profile.frames_per_second:.0f} frames/s"
        caption = f"{name}\n{timing}\n{pixels} x {pixels} px averaged"
        pictures.append((caption, _frame(camera)))
    return pictures


def _passing(geometry: Any) -> Any:
    """The street passing by, at a speed that fits the frame's width."""
    from sensor_sim.charts import street
    from sensor_sim.scene import PanningScene

    wide = replace(geometry, width=2 * geometry.width)
    return PanningScene(street(wide).rows(0, _still(geometry.height)), geometry.width, PAN_PX_S * geometry.width / 240)


def _still(rows: int) -> Any:
    import numpy as np

    return np.zeros(rows)


def _accuracy(photos: Path, split: str, plot: Path) -> "Table":
    """Balanced accuracy of the shipped weights over the presets, as a table and a plot."""
    import numpy as np

    from clients.commands.table import Table
    from model.checkpoint import load_checkpoint, shipped_weights
    from model.config import VARIANTS
    from model.runtime import load_runtime
    from model.training.photos import load_frames, read_photos
    from model.training.presets import preset_metrics
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
