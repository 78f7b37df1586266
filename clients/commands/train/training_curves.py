"""`rascanet training-curves`: accuracy against compute, from the logs of training runs."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, fail, failing_on
from clients.commands.outputs import Overwrite, check_outputs

COLOURS = 10
"""Number of lines after which colours repeat."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("training-curves")(training_curves)


def training_curves(
    runs: Annotated[list[Path], typer.Argument(metavar="FOLDER", help="folders of runs, or their log.csv")],
    plot: Annotated[Path, typer.Option(metavar="FILE", help="file for the curves, .svg or .png")],
    overwrite: Overwrite = False,
) -> None:
    """Draws balanced accuracy on `val` over pictures seen, before P(person) is scaled; prints the best of each run.

    Examples:
        rascanet training-curves runs/first runs/second --plot curves.svg
    """
    from clients.commands.plot import new_figure, save

    check_outputs(overwrite=overwrite, plot=plot)
    figure = new_figure(9.0, 4.2)
    axes = figure.subplots()
    with failing_on(OSError):
        for number, run in enumerate(runs):
            log = run / "log.csv" if run.is_dir() else run
            name = log.parent.name if log.name == "log.csv" else log.stem
            try:
                table = csv.DictReader(log.read_text().splitlines())
                rows = [(int(row["pictures"]), float(row["val"])) for row in table]
            except (KeyError, ValueError) as error:
                fail(f"{log}: not the log of a training run ({error})")
            if not rows:
                fail(f"{log}: there is nothing in it yet")
            pictures, accuracies = zip(*rows, strict=True)
            style = "-" if number < COLOURS else "--"
            axes.plot([each / 1e3 for each in pictures], [100 * each for each in accuracies], style, label=name)
            best = max(rows, key=lambda row: row[1])
            console.print(f"{name}: {best[1]:.1%} after {best[0]:,} pictures, {accuracies[-1]:.1%} at the end")
        axes.set_xscale("log")
        axes.set_xlabel("pictures seen, thousands")
        axes.set_ylabel("balanced accuracy on val, %")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))
        save(figure, plot)
