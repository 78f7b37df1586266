"""The tables of an evaluation, for the terminal, pages and reports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.commands.policy import note_on
from clients.commands.table import MISSING, Table, counted

if TYPE_CHECKING:
    from model.exit_policy import Policy
    from model.training.evaluate import Evaluation


def interval(share: float, low: float, high: float) -> str:
    """A share of 0..1 with its 95 % interval, in per cent."""
    return f"{share:.1%} ({low:.1%} to {high:.1%})"


def policy_words(policy: "Policy") -> str:
    """A policy's parameters that are numbers; a dash if it has none."""
    from model.exit_policy import describe_policy

    numbers = {key: value for key, value in describe_policy(policy).items() if isinstance(value, float | int)}
    return ", ".join(f"{key} {value:.4g}" for key, value in numbers.items()) or MISSING


def whole_table(evaluation: "Evaluation", title: str) -> Table:
    """Full frames at the threshold 0.5, by source."""
    from model.training.metrics import (
        auroc,
        average_precision,
        binary_metrics,
        bootstrap_interval,
        share_interval,
    )

    curves = evaluation.curves
    rows = []
    for source, which in evaluation.sources.items():
        p_person, labels = curves.p_person[which, -1], curves.labels[which]
        metrics = binary_metrics(p_person, labels)
        found = share_interval(metrics.persons_found, metrics.persons)
        kept = share_interval(metrics.empties_kept, metrics.empties)
        ranked = []
        for value, statistic in (
            (metrics.auroc, auroc),
            (metrics.average_precision, average_precision),
        ):
            low, high = bootstrap_interval(statistic, p_person, labels)
            ranked.append(f"{value:.3f} ({low:.3f} to {high:.3f})")
        rows.append(
            (
                source,
                f"{metrics.persons} + {metrics.empties}",
                interval(metrics.balanced_accuracy, *metrics.interval),
                interval(metrics.persons_found, *found),
                interval(metrics.empties_kept, *kept),
                *ranked,
                f"{metrics.calibration_error:.3f}",
            )
        )
    headings = (
        "source",
        "person + no",
        "balanced accuracy",
        "persons found",
        "empty kept",
        "AUROC",
        "average precision",
        "calibration error",
    )
    note = (
        "In brackets 95 % intervals, of AUROC and average precision by bootstrap within each class. "
        "The calibration error (15 bins) has none: chance alone raises it, the more so the fewer the pictures."
    )
    return Table(title, headings, rows, (note,))


def policy_table(evaluation: "Evaluation", policy: "Policy", title: str) -> Table:
    """A policy's figures by source."""
    rows = []
    for source, figures in evaluation.by_source(policy):
        low, high = figures.ratio_interval
        rows.append(
            (
                source,
                str(figures.pictures),
                interval(figures.accuracy, *figures.accuracy_interval),
                interval(1 - figures.disagreement, 1 - figures.interval[1], 1 - figures.interval[0]),
                f"{figures.ratios[0]:.3f} ({low:.3f} to {high:.3f})",
                " / ".join(f"{ratio:.3f}" for ratio in figures.ratios[1:]),
                f"{evaluation.mean_macs(figures) / 1e6:.2f} M",
                str(figures.exits),
            )
        )
    headings = (
        "source",
        "pictures",
        "balanced accuracy",
        "agreement with the full frame",
        "processed",
        "processed: person / no",
        "mean multiply-accumulates",
        "exits",
    )
    return Table(title, headings, rows, _notes_on(policy))


def _notes_on(*policies: "Policy") -> tuple[str, ...]:
    """Explanation of the policies' thresholds, where they need one."""
    from model.exit_policy import PerBurstPolicy

    lines = [each for each in policies if isinstance(each, PerBurstPolicy)]
    note = note_on(
        threshold
        for each in lines
        for threshold in (each.person_first, each.person_last, each.empty_first, each.empty_last)
    )
    return (note,) if note else ()


def degraded_table(evaluations: "Mapping[str, Evaluation]", title: str) -> Table:
    """Table of networks on the same pictures made worse, by kind and source; a pair of columns for each network."""
    from model.training.degrade import DEGRADATIONS, degraded_frames
    from model.training.metrics import auroc_change
    from model.training.outcomes import read_curves

    rows = []
    sources = next(iter(evaluations.values())).sources
    for degradation in DEGRADATIONS:
        worse = {}
        for name, each in evaluations.items():
            config = each.runtime.config
            frames = degraded_frames(each.photos, degradation, config.height, config.width)
            worse[name] = read_curves(each.runtime, frames, each.photos).p_person[:, -1]
        for source, which in sources.items():
            cells = []
            for name, each in evaluations.items():
                clean, labels = each.curves.p_person[which, -1], each.curves.labels[which]
                figures = auroc_change(clean, worse[name][which], labels)
                cells += [f"{figures.auroc:.3f}", str(figures)]
                if not degradation.strength:
                    cells[-1] = MISSING
            rows.append((degradation.name, source, *cells))
    headings = ["pictures", "source"]
    for name in evaluations:
        headings += [f"AUROC of {name}", "change"]
    strengths = "; ".join(f"{each.name}: {each.strength}" for each in DEGRADATIONS if each.strength)
    notes = (
        f"{strengths}.",
        "The change is that of the AUROC; in brackets its 95 % interval, by bootstrap of the same pictures for both.",
    )
    return Table(title, headings, rows, notes)


def reliability_table(evaluation: "Evaluation", title: str, bins: int = 10) -> Table:
    """P(person) of full frames against the share of persons."""
    from model.training.metrics import reliability, wilson_interval

    rows = [
        (
            f"{each.low:.1f} to {each.high:.1f}",
            str(each.pictures),
            f"{each.p_person:.3f}" if each.pictures else MISSING,
            interval(each.persons / each.pictures, *wilson_interval(each.persons, each.pictures))
            if each.pictures
            else MISSING,
        )
        for each in reliability(evaluation.curves.p_person[:, -1], evaluation.curves.labels, bins)
    ]
    return Table(title, ("P(person)", "pictures", "mean P(person)", "show a person"), rows)


def halt_table(evaluation: "Evaluation", policy: "Policy", title: str) -> Table:
    """Histogram of the share of the frame that was processed."""
    from model.training.metrics import wilson_interval

    figures = evaluation.figures(policy)
    bins = len(figures.halts)
    rows = [
        (
            f"{index / bins:.0%} to {(index + 1) / bins:.0%}",
            str(count),
            interval(count / figures.pictures, *wilson_interval(count, figures.pictures)),
        )
        for index, count in enumerate(figures.halts)
    ]
    return Table(title, ("of the bursts processed", "pictures", "share"), rows)


def weights_table(evaluations: "Mapping[str, Evaluation]", title: str) -> Table:
    """Weights by their names on the same pictures, whole frames; the first is what the others are held to."""
    from model.exit_policy import PERSON_FROM
    from model.training.metrics import binary_metrics

    rows = []
    chances = {name: each.curves.p_person[:, -1] for name, each in evaluations.items()}
    first, *_ = chances.values()
    for name, found in chances.items():
        metrics = binary_metrics(found, evaluations[name].curves.labels)
        otherwise = ((found >= PERSON_FROM) != (first >= PERSON_FROM)).mean()
        away = abs(found - first)
        beside = (f"{otherwise:.1%}", f"{away.mean():.4f} / {away.max():.4f}")
        rows.append(
            (
                name,
                f"{metrics.auroc:.4f}",
                f"{metrics.balanced_accuracy:.2%}",
                *((MISSING, MISSING) if found is first else beside),
            )
        )
    headings = (
        "weights",
        "AUROC",
        "balanced\naccuracy",
        "decide differently\nthan the first",
        "P(person): mean /\nlargest difference",
    )
    return Table(title, headings, rows, (f"{counted(len(first), 'picture')}, threshold {PERSON_FROM:g}.",))


def auroc_table(evaluations: "Mapping[str, Evaluation]", title: str) -> Table:
    """AUROC of weights by source: of the first; of the others, the change from the first."""
    from model.training.metrics import auroc, auroc_change

    first, *_ = evaluations.values()
    rows = []
    for name, each in evaluations.items():
        cells = []
        for which in each.sources.values():
            before, after = (evaluation.curves.p_person[which, -1] for evaluation in (first, each))
            labels = first.curves.labels[which]
            cells.append(f"{auroc(after, labels):.3f}" if each is first else str(auroc_change(before, after, labels)))
        rows.append((name, *cells))
    notes = ("AUROC of the first weights, then changes from it with 95 % intervals (bootstrap of the same pictures).",)
    return Table(title, ("weights", *first.sources), rows, notes)


@dataclass(frozen=True)
class Contender:
    """Weights under a policy."""

    name: str
    evaluation: "Evaluation"
    policy: "Policy"


def compare_table(contenders: Sequence[Contender], title: str) -> Table:
    """Contenders on the same pictures; the first is what the others are tested against."""
    from model.training.metrics import mcnemar

    first = contenders[0]
    labels = first.evaluation.curves.labels
    rights = [each.evaluation.outcome(each.policy).right(labels) for each in contenders]
    called = _names_of(each.policy for each in contenders)
    rows = []
    for each, right in zip(contenders, rights, strict=True):
        figures = each.evaluation.figures(each.policy)
        only_first, only_this, p_value = mcnemar(rights[0], right)
        rows.append(
            (
                each.name,
                called[each.policy],
                interval(figures.accuracy, *figures.accuracy_interval),
                interval(1 - figures.disagreement, 1 - figures.interval[1], 1 - figures.interval[0]),
                " / ".join(f"{ratio:.3f}" for ratio in figures.ratios),
                f"{each.evaluation.mean_macs(figures) / 1e6:.2f} M",
                *((MISSING, MISSING) if each is first else (f"{only_first} / {only_this}", f"{p_value:.2g}")),
            )
        )
    headings = (
        "weights",
        "policy",
        "balanced accuracy",
        "agreement with its full frame",
        "processed: all / person / no",
        "mean multiply-accumulates",
        "only the first right /\nonly this right",
        "McNemar's p",
    )
    note = f"{counted(len(labels), 'picture')}; the p-values (exact, two-sided) test each contender against the first."
    words = {name: policy_words(policy) for policy, name in called.items()}
    settings = [f"{name}: {setting}." for name, setting in words.items() if setting != MISSING]
    return Table(title, headings, rows, (note, *settings, *_notes_on(*called)))


def _names_of(policies: "Iterable[Policy]") -> "dict[Policy, str]":
    """Names of the policies that differ, in order; of one name, the second gets a 2."""
    names: dict[Policy, str] = {}
    for policy in policies:
        if policy not in names:
            alike = sum(other.name == policy.name for other in names)
            names[policy] = f"{policy.name} {alike + 1}" if alike else policy.name
    return names
