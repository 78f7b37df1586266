"""`rascanet exits`: every exit policy on labelled pictures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import console, failing_on
from clients.commands.photos import PhotosFolder
from clients.commands.policy import Variant
from clients.commands.weights import Weights, WeightsFile

if TYPE_CHECKING:
    from clients.commands.table import Table
    from model.exit_policy import Policy
    from model.runtime import StepRuntime
    from model.training.exits import ExitFigures
    from model.training.photos import Photos

    Judge = Callable[[Policy], ExitFigures]
    Tried = Mapping[str, Sequence[Policy]]

ACCURACY_LOSSES = (0.0, 0.005, 0.01, 0.02)
MAX_DISAGREEMENT = 0.01


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("exits")(exits)


def exits(
    photos: PhotosFolder,
    variant: Variant = "105x120",
    weights: WeightsFile = None,
    split: Annotated[str, typer.Option(help="split to evaluate; settings are always chosen on val")] = "val",
    source: Annotated[str | None, typer.Option(help="only pictures of this source")] = None,
    page: Annotated[Path | None, typer.Option(help="Markdown page whose tables are replaced")] = None,
    plot: Annotated[Path | None, typer.Option(help="file for the curve of agreement over processed ratio")] = None,
) -> None:
    """Every policy at matched loss of accuracy, its settings chosen on `val`, evaluated on `split`."""
    from clients.commands.table import PageError, refresh_page
    from model.certificate import CertificateError
    from model.checkpoint import CheckpointError
    from model.runtime import RuntimeUnavailableError
    from model.training.candidates import families, per_burst_path, two_sided_path
    from model.training.exits import read_curves
    from model.training.photos import EmptySplitError, PhotosError, load_frames, read_photos

    with failing_on(CheckpointError, CertificateError, RuntimeUnavailableError, PhotosError, PageError, OSError):
        used = Weights.load(weights, variant)
        chosen_on = read_photos(photos, "val")
        on_val = _judge(used.runtime, chosen_on)
        on_split, pictures = on_val, chosen_on
        if (split, source) != ("val", None):
            pictures = read_photos(photos, split)
            if source:
                pictures = replace(pictures, photos=tuple(each for each in pictures.photos if each.source == source))
                if not pictures.photos:
                    raise EmptySplitError(f"{photos}: no picture of the source {source!r} in {split!r}")
            on_split = _judge(used.runtime, pictures)
        size = used.runtime.config.height, used.runtime.config.width
        curves = read_curves(used.runtime, load_frames(chosen_on, *size), chosen_on)
        paths: dict[str, Sequence[Policy]] = {"two_sided": two_sided_path(curves), "per_burst": per_burst_path(curves)}
        tried = {name: [*policies, *paths.get(name, ())] for name, policies in families()}
        where = f"{split} {source or ''}".strip()
        table = _table(used, tried, on_val, on_split, where, len(pictures.photos))
        table.show(console)
        if plot:
            _plot(plot, tried, on_split, f"{variant} on {where}")
        if page:
            refresh_page(page, {f"exits {variant}-{where.replace(' ', '-')}": [table]})


def _judge(runtime: "StepRuntime", photos: "Photos") -> "Judge":
    """What gives a policy's figures on pictures, each worked out once."""
    from model.training.exits import figures_of, read_curves, replay, run
    from model.training.photos import load_frames

    frames = load_frames(photos, runtime.config.height, runtime.config.width)
    curves = read_curves(runtime, frames, photos)

    @cache
    def figures(policy: "Policy") -> "ExitFigures":
        return figures_of(run(policy, runtime, frames) if policy.skips else replay(policy, curves), curves)

    return figures


def _table(used: Weights, tried: "Tried", on_val: "Judge", on_split: "Judge", where: str, pictures: int) -> "Table":
    from clients.commands.table import MISSING, Table
    from model.exit_policy import NeverExitPolicy, PublishedPolicy, describe_policy

    def row(allowed: str, policy: "Policy") -> tuple[str, ...]:
        figures = on_split(policy)
        low, high = figures.interval
        numbers = {key: value for key, value in describe_policy(policy).items() if isinstance(value, float | int)}
        return (
            allowed,
            policy.name,
            ", ".join(f"{key} {value:.4g}" for key, value in numbers.items()) or MISSING,
            f"{figures.accuracy:.1%}",
            f"{figures.disagreement:.1%} ({low:.1%} to {high:.1%})",
            " / ".join(f"{ratio:.3f}" for ratio in figures.ratios),
        )

    full = on_val(NeverExitPolicy()).accuracy
    rows = [row("-", NeverExitPolicy()), row("-", PublishedPolicy())]
    for allowed in ACCURACY_LOSSES:
        for policies in tried.values():
            fitting = [policy for policy in policies if on_val(policy).accuracy >= full - allowed]
            if fitting:
                rows.append(row(f"{allowed:.1%}", _least_read(fitting, on_val)))
    agreeing = [policy for policy in tried["two_sided"] if on_val(policy).disagreement <= MAX_DISAGREEMENT]
    rows.append(row("1 % disagreement", _least_read(agreeing, on_val)))
    if used.certified:
        rows.append(row(f"certified, risk {used.certified.risk:g}", used.certified))
    headings = (
        "loss allowed on val",
        "policy",
        "setting",
        "balanced accuracy",
        "disagreement",
        "processed: all / person / no",
    )
    note = (
        f"{pictures} pictures of `{where}`. Settings were chosen on `val`: the least read of those that lose no more "
        "balanced accuracy there than allowed. In brackets 95 % intervals."
    )
    return Table(f"Policies of {used.runtime.config.name} on {where}", headings, rows, (note,))


def _least_read(policies: "Iterable[Policy]", judge: "Judge") -> "Policy":
    """The policy under which least is processed."""
    return min(policies, key=lambda policy: judge(policy).ratios[0])


def _plot(path: Path, tried: "Tried", judge: "Judge", title: str) -> None:
    """For each kind of policy, the best agreement that can be had for a processed ratio."""
    from clients.commands.plot import new_figure, save

    figure = new_figure(7.5, 4.2)
    axes = figure.subplots()
    for name, policies in tried.items():
        best = 0.0
        frontier = []
        for figures in sorted(map(judge, policies), key=lambda each: (each.ratios[0], each.disagreement)):
            if 1 - figures.disagreement > best:
                best = 1 - figures.disagreement
                frontier.append((figures.ratios[0], best))
        axes.step(*zip(*frontier, strict=True), where="post", label=name, marker=".", linewidth=1)
    axes.set_xlabel("mean share of bursts processed")
    axes.set_ylabel("agreement with the full frame")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    save(figure, path)
