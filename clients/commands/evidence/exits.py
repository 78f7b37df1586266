"""`rascanet exits`: every exit policy on labelled pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import console, failing_on, need
from clients.commands.outputs import Overwrite, check_outputs
from clients.commands.photos import PhotosFolder
from clients.commands.table import counted
from clients.commands.weights import ChosenVariant, Weights, WeightsFile, weights_file

if TYPE_CHECKING:
    from clients.commands.evidence.exit_curve import Tried
    from clients.commands.table import Table
    from model.exit_policy import Policy
    from model.training.evaluate import Evaluation
    from model.training.outcomes import ExitFigures

PRIOR_STEPS = 4
ACCURACY_LOSSES = (0.0, 0.005, 0.01, 0.02)
AIMED_AT = "test coco"
AIM_CERTIFIED = 0.60
AIM_AGREEING = 0.70
"""Processed ratios that the certified policy and two-sided thresholds at `MAX_DISAGREEMENT` are to reach there. The
authors' weights reach 0.77 with such thresholds, 0.89 with the published rule."""
STEPS = 200
"""Settings that are searched for, of either kind."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("exits")(exits)


def exits(
    photos: PhotosFolder,
    variant: ChosenVariant = None,
    weights: WeightsFile = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="split to evaluate; settings are always chosen on val")
    ] = "val",
    source: Annotated[str | None, typer.Option(metavar="NAME", help="only pictures of this source")] = None,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="Markdown page whose tables are replaced")] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="file for the curve of agreement over processed ratio")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="print every kind of policy, at several allowed losses of accuracy")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Prints how much the certified policy reads, beside others; with --all every kind of policy.

    Settings are chosen on `val`; the figures are measured on --split. --page always gets every kind of policy.

    Examples:
        rascanet exits --photos folder
        rascanet exits --photos folder --all
        rascanet exits --photos folder --split test --plot curve.svg
    """
    from clients.commands.evidence.exit_curve import draw_curve
    from clients.commands.plot import save
    from clients.commands.table import PageError, refresh_page
    from model.certificate import CertificateError
    from model.checkpoint import CheckpointError
    from model.step import RuntimeUnavailableError
    from model.training.evaluate import Evaluation
    from model.training.photos import EmptySplitError, PhotosError, read_photos

    check_outputs(overwrite=overwrite, plot=plot)
    if plot:
        need("matplotlib")
    with failing_on(CheckpointError, CertificateError, RuntimeUnavailableError, PhotosError, PageError, OSError):
        used = Weights.load(weights_file(weights, variant))
        on_val = on_split = Evaluation(used.runtime, read_photos(photos, "val"))
        if (split, source) != ("val", None):
            pictures = read_photos(photos, split)
            if source:
                pictures = replace(pictures, photos=tuple(each for each in pictures.photos if each.source == source))
                if not pictures.photos:
                    raise EmptySplitError(f"{photos}: no picture of the source {source!r} in {split!r}")
            on_split = Evaluation(used.runtime, pictures)
        tried = policies_to_try(on_val)
        where = f"{split} {source or ''}".strip()
        table = matched_table(used, tried, on_val, on_split, where)
        (table if every else in_short(table)).show(console)
        if plot:
            save(draw_curve(tried, on_split, f"{used.runtime.config.name} on {where}", used.certified), plot)
        if page:
            refresh_page(page, {f"exits {used.runtime.config.name}-{where.replace(' ', '-')}": [table]})


def policies_to_try(on_val: "Evaluation") -> "Tried":
    """Settings of every kind of policy, some of them searched for on the pictures that all are chosen on."""
    from model.training.candidates import families, per_burst_path, two_sided_path

    paths: dict[str, Sequence[Policy]] = {
        "two_sided": two_sided_path(on_val.curves, STEPS),
        "per_burst": per_burst_path(on_val.curves, STEPS),
    }
    return {name: [*policies, *paths.get(name, ())] for name, policies in families()}


def matched_table(used: Weights, tried: "Tried", on_val: "Evaluation", on_split: "Evaluation", where: str) -> "Table":
    """Every kind of policy at the same losses of accuracy, chosen on one split and judged on another."""
    from clients.commands.evidence.evaluation_tables import interval, policy_words
    from clients.commands.table import Table
    from model.exit_policy import NeverExitPolicy, PublishedPolicy

    def row(allowed: str, policy: "Policy") -> tuple[str, ...]:
        figures = on_split.figures(policy)
        low, high = figures.ratio_interval
        return (
            allowed,
            policy.name,
            policy_words(policy),
            interval(figures.accuracy, *figures.accuracy_interval),
            interval(figures.disagreement, *figures.interval),
            f"{figures.ratios[0]:.3f} ({low:.3f} to {high:.3f})",
            " / ".join(f"{ratio:.3f}" for ratio in figures.ratios[1:]),
        )

    full = on_val.figures(NeverExitPolicy()).accuracy
    rows = [row("-", NeverExitPolicy()), row("-", PublishedPolicy())]
    for allowed in ACCURACY_LOSSES:
        for policies in tried.values():
            fitting = [policy for policy in policies if on_val.figures(policy).accuracy >= full - allowed]
            if fitting:
                rows.append(row(f"{allowed:.1%}", _least_read(fitting, on_val)))
    agreeing = least_read_agreeing(tried, on_val)
    rows.append(row("1 % disagreement", agreeing))
    aims = [_against(AIM_AGREEING, on_split.figures(agreeing), "two-sided thresholds at 1 % disagreement")]
    if used.certified:
        aims.append(_against(AIM_CERTIFIED, on_split.figures(used.certified), "the certified policy"))
        rows.append(row(f"certified, risk {used.certified.risk:g}", used.certified))
    headings = (
        "loss allowed on val",
        "policy",
        "setting",
        "balanced accuracy",
        "disagreement",
        "processed",
        "processed: person / no",
    )
    note = (
        f"{counted(len(on_split.photos.photos), 'picture')} of `{where}`. Settings were chosen on `val`: the least "
        "read of those that lose no more balanced accuracy there than allowed. In brackets 95 % intervals."
    )
    notes = [note, *_rows_note(on_split)]
    if where == AIMED_AT:
        notes.append(f"Processed: {'; '.join(aims)}.")
    return Table(f"Policies of {used.runtime.config.name} on {where}", headings, rows, notes)


def in_short(table: "Table") -> "Table":
    """Returns the rows of `matched_table` that are chosen for no loss of accuracy, the certified policy first."""
    from clients.commands.table import Table

    rows = [row for row in reversed(table.rows) if not row[0].endswith("%")]
    hidden = ("setting", "processed: person / no")
    columns = [column for column, heading in enumerate(table.headings) if heading not in hidden]
    headings = ["chosen for", *(table.headings[column] for column in columns[1:])]
    notes = [*table.notes, "--all prints every kind of policy, at several allowed losses of balanced accuracy."]
    return Table(table.title, headings, [[row[column] for column in columns] for row in rows], notes)


def _against(aim: float, figures: "ExitFigures", what: str) -> str:
    found = figures.ratios[0]
    missed = f"missed by {found - aim:.3f}" if found > aim else "met"
    return f"{what} {found:.3f}, aim {aim:.2f}: {missed}"


def _rows_note(evaluation: "Evaluation") -> list[str]:
    """Notes on the places of people in the frame, which bound how much the first rows can tell."""
    from model.training.row_prior import row_prior

    prior = row_prior(evaluation.photos, PRIOR_STEPS)
    if prior is None:
        return []
    told = [
        f"after {share:.0%} of the rows the first person has begun in {begun:.0%}, the largest is over in {ended:.0%}"
        for share, begun, ended in list(zip(prior.shares, prior.begun, prior.ended, strict=True))[1:-1]
    ]
    return [f"Of {prior.pictures} pictures with person boxes: {'; '.join(told)}."]


def least_read_agreeing(tried: "Tried", on_val: "Evaluation") -> "Policy":
    """The two-sided thresholds that read least of those that agree with the full frame in 99 % of the frames."""
    from model.training.scaling import MAX_DISAGREEMENT

    agreeing = [policy for policy in tried["two_sided"] if on_val.figures(policy).disagreement <= MAX_DISAGREEMENT]
    return _least_read(agreeing, on_val)


def _least_read(policies: "Iterable[Policy]", evaluation: "Evaluation") -> "Policy":
    """The policy under which least is processed."""
    return min(policies, key=lambda policy: evaluation.figures(policy).ratios[0])
