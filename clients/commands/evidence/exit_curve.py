"""Plot of the agreement and accuracy that every policy reaches, over the share of bursts that the policy reads."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from model.exit_policy import Policy
    from model.training.evaluate import Evaluation
    from model.training.outcomes import ExitFigures

    Tried = Mapping[str, Sequence[Policy]]


def frontier(policies: "Sequence[Policy]", evaluation: "Evaluation") -> "list[ExitFigures]":
    """The settings that agree more with the full frame than any that reads less, from little read to much."""
    best, kept = 2.0, []
    for figures in sorted(map(evaluation.figures, policies), key=lambda each: (each.ratios[0], each.disagreement)):
        if figures.disagreement < best:
            best = figures.disagreement
            kept.append(figures)
    return kept


def draw_curve(tried: "Tried", evaluation: "Evaluation", title: str, certified: "Policy | None" = None) -> "Figure":
    """Agreement and balanced accuracy over the mean processed ratio, and where the people are, as three pictures."""
    from clients.commands.plot import new_figure
    from model.exit_policy import NeverExitPolicy
    from model.training.row_prior import row_prior

    figure = new_figure(13, 4.4)
    agreement, accuracy, rows = figure.subplots(1, 3, width_ratios=(5, 5, 3))
    for name, policies in tried.items():
        found = frontier(policies, evaluation)
        read = [each.ratios[0] for each in found]
        (line,) = agreement.step(
            read, [100 * (1 - each.disagreement) for each in found], where="post", label=name, marker=".", linewidth=1
        )
        ends = [[100 * (1 - each.interval[side]) for each in found] for side in (1, 0)]
        agreement.fill_between(read, *ends, step="post", alpha=0.1, color=line.get_color(), linewidth=0)
        accuracy.plot(
            read, [100 * each.accuracy for each in found], label=name, marker=".", linewidth=1, color=line.get_color()
        )
        if name in ("per_burst", "fixed_row"):  # the intervals overlap; the best and the plainest show their size
            ends = [[100 * each.accuracy_interval[side] for each in found] for side in (0, 1)]
            accuracy.fill_between(read, *ends, alpha=0.1, color=line.get_color(), linewidth=0)
    if certified is not None:
        point = evaluation.figures(certified)
        for axes, value, (low, high) in (
            (agreement, 1 - point.disagreement, (1 - point.interval[1], 1 - point.interval[0])),
            (accuracy, point.accuracy, point.accuracy_interval),
        ):
            bars: Any = [[100 * (value - low)], [100 * (high - value)]]
            place = [point.ratios[0]], [100 * value]
            axes.errorbar(*place, bars, fmt="*", color="black", markersize=10, capsize=3, label="certified")
    full = evaluation.figures(NeverExitPolicy())
    accuracy.axhline(100 * full.accuracy, color="grey", linewidth=0.8, linestyle=":", label="full frame")
    agreement.set_ylabel("agreement with the full frame, %")
    accuracy.set_ylabel("balanced accuracy of those settings, %")
    for axes in (agreement, accuracy):
        axes.set_xlabel("mean share of bursts processed")
        axes.set_xlim(0, 1.02)
        axes.grid(alpha=0.3)
    agreement.legend(fontsize=8, loc="lower right")
    agreement.set_title(f"{title}, {full.pictures} pictures; bands and bars: 95 %", fontsize=9, loc="left")

    prior = row_prior(evaluation.photos, evaluation.runtime.config.bursts_per_frame)
    if prior is None:
        rows.set_axis_off()
        rows.text(0.5, 0.5, "no person boxes in the index", ha="center", transform=rows.transAxes)
        return figure
    rows.plot(100 * prior.begun, prior.shares, label="a person has begun", linewidth=1)
    rows.plot(100 * prior.ended, prior.shares, label="the largest one is over", linewidth=1)
    rows.invert_yaxis()
    rows.set_ylabel("share of the frame read")
    rows.set_xlabel("pictures with a person, %")
    rows.set_title(f"where people are, {prior.pictures} pictures", fontsize=9, loc="left")
    rows.legend(fontsize=8, loc="upper right")
    rows.grid(alpha=0.3)
    return figure
