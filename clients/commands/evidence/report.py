"""`rascanet report`: everything that is known of weights on labelled pictures, in one HTML file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clients.commands.console import console, fail, failing_on, need, say
from clients.commands.names import shown
from clients.commands.outputs import Overwrite, check_outputs, whole_text
from clients.commands.photos import PhotosFolder
from clients.commands.table import counted
from clients.commands.weights import Weights, names_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from clients.commands.html import Page
    from clients.commands.table import Table
    from model.exit_policy import Policy
    from model.training.evaluate import Evaluation

_Part = tuple[Weights, "Evaluation", "Evaluation"]
"""Weights, and what they say of the split and of `val`."""

SHOWN = 8
"""Pictures of a kind."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("report")(report)


def report(
    photos: PhotosFolder,
    out: Annotated[Path, typer.Option(metavar="FILE", help="the HTML file")] = Path("report.html"),
    split: Annotated[
        str, typer.Option(metavar="NAME", help="split to report on; settings are always chosen on val")
    ] = "val",
    weights: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="files of weights; those that come with the project if not given"),
    ] = None,
    presets: Annotated[bool, typer.Option(help="also the accuracy in the sensor's five lights")] = True,
    overwrite: Overwrite = False,
) -> None:
    """Writes one HTML file: tables, curves, exits, mistakes, accuracy in five lights, budget, how true P(person) is.

    Examples:
        rascanet report --photos folder --out report.html
    """
    need("matplotlib")
    from model.certificate import CertificateError
    from model.checkpoint import CheckpointError, shipped_weights
    from model.config import VARIANTS
    from model.step import RuntimeUnavailableError
    from model.training.evaluate import Evaluation
    from model.training.photos import PhotosError, read_photos

    check_outputs(overwrite=overwrite, out=out)
    files = weights or [path for path in map(shipped_weights, VARIANTS) if path.is_file()]
    with failing_on(CheckpointError, CertificateError, RuntimeUnavailableError, PhotosError):
        all_used = [Weights.load(file) for file in files]
        pictures, chosen_on = read_photos(photos, split), read_photos(photos, "val")
        parts: list[_Part] = []
        for used in all_used:
            say(f"{used.runtime.config.name}: looking at {counted(len(pictures.photos), 'picture')} of {split}")
            evaluation = Evaluation(used.runtime, pictures)
            on_val = evaluation if split == "val" else Evaluation(used.runtime, chosen_on)
            if not evaluation.sources or not on_val.sources:
                fail(f"{photos}: {split!r} and 'val' must hold pictures with and without a person")
            parts.append((used, evaluation, on_val))
        page = _page(parts, split, presets=presets)
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_text(out) as file:
            file.write(page.text)
    _summary_table(parts).show(console)
    console.print(f"{shown(out)}: {len(page.text) / 1e6:.1f} MB", soft_wrap=True, markup=False, highlight=False)


def _page(parts: "list[_Part]", split: str, *, presets: bool) -> "Page":
    from clients.commands.html import Page
    from model.training.photos import LABEL_RULE

    page = Page(f"Person or no person: {', '.join(used.runtime.config.name for used, _, _ in parts)} on {split}")
    flatter = "on val itself the figures of policies flatter" if split == "val" else "none was chosen on this split"
    page.paragraph(
        f"Written by: rascanet report --split {split}. Shares in brackets are 95 % intervals. "
        f"Every setting of an exit policy was chosen on val: {flatter}."
    )
    page.section("Summary")
    page.table(_summary_table(parts))
    for used, evaluation, on_val in parts:
        say(f"{used.runtime.config.name}: searching exit policies, drawing")
        _weights_section(page, used, evaluation, on_val, split)
    if presets:
        say("evaluating in the sensor's five lights")
        page.section("Lights")
        page.paragraph("The same full frames as the simulated sensor sees them, with its noise.")
        page.table(_preset_table(parts))
    page.section("Budget")
    page.table(_budget_table([used.runtime.config for used, _, _ in parts]))
    page.section("Data and weights")
    first = parts[0][1]
    page.facts(
        [
            ("labels", f"as the index has them; rascanet data vww makes them so: {LABEL_RULE}"),
            ("split", f"{split}, {counted(len(first.photos.photos), 'picture')}"),
            *((f"of these, {name}", _both(first.photos.labels[which])) for name, which in first.sources.items()),
            ("SHA-256 of the index", first.photos.index_digest),
        ]
    )
    for used, _, _ in parts:
        page.heading(used.runtime.config.name)
        page.facts(_provenance(used))
    return page


def _summary_table(parts: "list[_Part]") -> "Table":
    """The networks under whole frames and, where there is a certificate, under its policy."""
    from clients.commands.evidence.evaluation_tables import Contender, compare_table
    from model.exit_policy import NeverExitPolicy

    names = names_of({used.file for used, _, _ in parts})
    contenders: list[Contender] = []
    for used, evaluation, _ in parts:
        contenders.append(Contender(names[used.file], evaluation, NeverExitPolicy()))
        if used.certified:
            contenders.append(Contender(names[used.file], evaluation, used.certified))
    return compare_table(contenders, "Networks and policies, each compared with the first row")


def _weights_section(page: "Page", used: Weights, evaluation: "Evaluation", on_val: "Evaluation", split: str) -> None:
    from clients.commands.evidence.evaluation_tables import (
        halt_table,
        policy_table,
        policy_words,
        reliability_table,
        whole_table,
    )
    from clients.commands.evidence.exit_curve import draw_curve
    from clients.commands.evidence.exits import least_read_agreeing, matched_table, policies_to_try

    name = used.runtime.config.name
    page.section(name)
    page.table(whole_table(evaluation, "Whole frames, threshold 0.5"))
    page.heading("Is P(person) what it says?")
    page.figure(_reliability_figure(evaluation), "reliability diagram: share of persons over P(person)")
    page.table(reliability_table(evaluation, "Reliability of full frames"))

    tried = policies_to_try(on_val)
    page.heading("What early exits cost and save")
    page.figure(
        draw_curve(tried, evaluation, f"{name} on {split}", used.certified),
        "agreement and balanced accuracy over the mean share of bursts processed, and where in the frame people are",
    )
    page.table(matched_table(used, tried, on_val, evaluation, split))
    policy: Policy = used.certified or least_read_agreeing(tried, on_val)
    if used.certified:
        page.heading("The certificate")
        page.facts(_certificate(used))
    page.table(policy_table(evaluation, policy, f"Under {policy.name} ({policy_words(policy)})"))
    page.heading("Where frames end")
    page.figure(_halt_figure(evaluation, policy), "histogram of the share of bursts processed")
    page.table(halt_table(evaluation, policy, f"Bursts processed under {policy.name}"))
    for title, photos in (
        ("Taken for a person, most certain first", mistakes(evaluation, 0)),
        ("Persons missed, most certain first", mistakes(evaluation, 1)),
        (f"Latest exits under {policy.name}", latest_exits(evaluation, policy)),
    ):
        page.heading(title)
        page.photos(photos) if photos else page.paragraph("None.")


def _both(labels: Any) -> str:
    return f"{int(labels.sum())} with a person + {int((1 - labels).sum())} without"


def mistakes(evaluation: "Evaluation", label: int) -> "list[tuple[Any, str]]":
    """Frames of this label that the full frame gets wrong, the most certain ones, with a line on each."""
    import numpy as np

    from model.exit_policy import PERSON_FROM

    curves, photos = evaluation.curves, evaluation.photos.photos
    p_person = curves.p_person[:, -1]
    wrong = np.flatnonzero((curves.labels == label) & ((p_person >= PERSON_FROM) != (label == 1)))
    order = wrong[np.argsort(-np.abs(p_person[wrong] - PERSON_FROM), kind="stable")][:SHOWN]
    return [(evaluation.frames[i], f"P(person) {p_person[i]:.3f}, {photos[i].path.name}") for i in order]


def latest_exits(evaluation: "Evaluation", policy: "Policy") -> "list[tuple[Any, str]]":
    """Frames that were left as late as can be but before their end, rows that were not read in grey."""
    import numpy as np

    outcome = evaluation.outcome(policy)
    exited = np.flatnonzero(outcome.exited)
    order = exited[np.argsort(-outcome.processed[exited], kind="stable")][:SHOWN]
    shown = []
    for i in order:
        frame = evaluation.frames[i].copy()
        rows = round(float(outcome.processed[i]) * len(frame))
        frame[rows:] = frame[rows:].mean(2, keepdims=True) // 3 + 150
        words = f"{outcome.processed[i]:.0%} read, P(person) {outcome.p_person[i]:.3f}"
        right = outcome.right(evaluation.curves.labels)[i]
        shown.append((frame, f"{words}, {'right' if right else 'wrong'}"))
    return shown


def _provenance(used: Weights) -> list[tuple[str, str]]:
    from model.training.scaling import fitted_on

    provenance = dict(used.checkpoint.provenance)
    told = [("file", used.file.name), ("SHA-256 of config and tensors", used.checkpoint.digest)]
    for key, name in (
        ("photos_index_sha256", "SHA-256 of the index trained on"),
        ("answers_sha256", "SHA-256 of the teacher's answers"),
        ("start", "weights begun with"),
        ("steps", "steps"),
        ("imported_from", "imported from"),
        ("licence", "licence"),
    ):
        if provenance.get(key):
            told.append((name, str(provenance[key])))
    if provenance.get("recipe"):
        told.append(("recipe", json.dumps(provenance["recipe"])))
    if fitted_on(used.checkpoint):
        told.append(("P(person) scaled on", str(fitted_on(used.checkpoint))))
    return told


def _certificate(used: Weights) -> list[tuple[str, str]]:
    from model.certificate import Certificate, certificate_beside

    certificate = Certificate.load(certificate_beside(used.file), used.checkpoint.digest)
    counts = [
        f"{span.errors} of {span.pictures} lost"
        + (f" between {span.after:.0%} and {span.until:.0%} of the frame" if len(certificate.spans) > 1 else "")
        for span in certificate.spans
    ]
    return [
        (
            "promise",
            f"{certificate.policy.promise} ({certificate.loss}, {certificate.condition}, {certificate.procedure})",
        ),
        ("calibration pictures", f"{certificate.pictures}; {', '.join(counts)}"),
        ("candidates", f"{certificate.candidates}, of which {certificate.tested} were tested"),
        ("SHA-256", certificate.digest),
        ("made by", certificate.made_by),
    ]


def _reliability_figure(evaluation: "Evaluation") -> "Figure":
    import numpy as np

    from clients.commands.plot import new_figure
    from model.training.metrics import calibration_error, reliability, wilson_interval

    p_person, labels = evaluation.curves.p_person[:, -1], evaluation.curves.labels
    bins = [each for each in reliability(p_person, labels, 10) if each.pictures]
    shares = np.array([each.persons / each.pictures for each in bins])
    ends = np.array([wilson_interval(each.persons, each.pictures) for each in bins])
    figure = new_figure(6.5, 4.6)
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    bars = np.maximum(0, [shares - ends[:, 0], ends[:, 1] - shares])
    axes.errorbar([each.p_person for each in bins], shares, bars, fmt="o-", capsize=3, linewidth=1)
    axes.set_ylabel("share that show a person")
    error = calibration_error(p_person, labels)
    axes.set_title(f"{len(labels)} pictures, expected calibration error {error:.3f} (15 bins)", fontsize=9, loc="left")
    axes.grid(alpha=0.3)
    counts.hist(p_person, np.linspace(0, 1, 21))
    counts.set_ylabel("pictures")
    counts.set_xlabel("P(person)")
    return figure


def _halt_figure(evaluation: "Evaluation", policy: "Policy") -> "Figure":
    import numpy as np

    from clients.commands.plot import new_figure

    outcome, labels = evaluation.outcome(policy), evaluation.curves.labels
    bursts = evaluation.runtime.config.bursts_per_frame
    edges = ((np.arange(bursts + 1) + 0.5) / bursts).tolist()
    figure = new_figure(7.5, 3)
    axes = figure.subplots()
    parts = [outcome.processed[labels == label] for label in (1, 0)]
    axes.hist(parts, edges, stacked=True, label=[f"person ({len(parts[0])})", f"no person ({len(parts[1])})"])
    axes.set_xlabel("share of bursts processed (1: read to the end)")
    axes.set_ylabel("pictures")
    axes.legend(fontsize=8)
    return figure


def _preset_table(parts: "list[tuple[Weights, Evaluation, Evaluation]]") -> "Table":
    from clients.commands.evidence.evaluation_tables import interval
    from clients.commands.table import Table
    from model.training.light_metrics import preset_metrics
    from model.training.metrics import share_interval

    rows = []
    for used, evaluation, _ in parts:
        for name, metrics in preset_metrics(used.runtime, evaluation.frames, evaluation.curves.labels):
            rows.append(
                (
                    used.runtime.config.name,
                    name,
                    f"{metrics.persons} + {metrics.empties}",
                    interval(metrics.balanced_accuracy, *metrics.interval),
                    interval(metrics.persons_found, *share_interval(metrics.persons_found, metrics.persons)),
                    interval(metrics.empties_kept, *share_interval(metrics.empties_kept, metrics.empties)),
                    f"{metrics.auroc:.3f}",
                )
            )
    headings = ("weights", "preset", "person + no", "balanced accuracy", "persons found", "empty kept", "AUROC")
    return Table("In the sensor's five lights", headings, rows)


def _budget_table(configs: "list[Any]") -> "Table":
    from clients.commands.table import Table
    from model.budget import budget

    rows = [
        (
            cost.variant,
            f"{cost.parameters:,}",
            f"{cost.weight_bytes / 1000:.2f} kB",
            f"{cost.peak_activation_bytes / 1000:.2f} kB",
            f"{cost.macs_per_burst:,}",
            f"{cost.operations_per_frame / 1e6:.2f} M",
        )
        for cost in map(budget, configs)
    ]
    headings = (
        "variant",
        "parameters",
        "weights",
        "peak activations",
        "multiply-accumulates a burst",
        "operations a frame, all of it read",
    )
    return Table(
        "What the networks cost", headings, rows, ("One byte a value; 1 kB = 1,000 B; counted on the network.",)
    )
