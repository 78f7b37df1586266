"""The figures of docs/sensor.md that take photographs: shipped weights in each light, on other kinds, behind masks."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clients.commands.bench.sensor_sheet import FIGURE_DPI
from clients.commands.plot import new_figure, save
from clients.commands.table import MISSING, Table
from model.certificate import certified_policy
from model.checkpoint import load_checkpoint, shipped_weights
from model.config import VARIANTS
from model.exit_policy import CalibratedPolicy, NeverExitPolicy
from model.risk_monitor import expected_audits
from model.runtime import load_runtime
from model.training.kind_metrics import KindFigures, kind_figures
from model.training.mask_metrics import MOST_COVERED, mask_figures
from model.training.photos import Photos, load_frames
from sensor_sim.sensor import PRESETS
from server.settings import Settings


class Measured(NamedTuple):
    """Figures of shipped weights on each kind of picture."""

    variant: str
    policy: CalibratedPolicy | None
    figures: Mapping[str, KindFigures]


def measure(pictures: Photos) -> list[Measured]:
    """Figures of all shipped weights on each kind of these pictures."""
    measured = []
    for variant in VARIANTS:
        weights = shipped_weights(variant)
        if weights.is_file():
            checkpoint = load_checkpoint(weights)
            policy = certified_policy(weights, checkpoint.digest)
            runtime = load_runtime(checkpoint)
            frames = load_frames(pictures, runtime.config.height, runtime.config.width)
            found = kind_figures(runtime, policy or NeverExitPolicy(), frames, pictures)
            measured.append(Measured(variant, policy, {figures.name: figures for figures in found}))
    return measured


def accuracy_table(measured: list[Measured], pictures: Photos, plot: Path) -> Table:
    """Balanced accuracy of the shipped weights over the presets, as a table and a plot."""
    figure = new_figure(7, 3.4, FIGURE_DPI)
    axes = figure.subplots()
    rows = []
    for place, (variant, _, kinds) in enumerate(measured):
        figures = []
        for name in PRESETS:
            metrics = kinds[name].full
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
    note = f"On `{pictures.split}`: {counts} pictures with and without a person, full frames, threshold 0.5."
    return Table("Shipped weights in five lights", headings, rows, (note,))


def kinds_table(measured: list[Measured], pictures: Photos) -> Table:
    """Decisions that certified exits lose by kind of picture, and the evidence that audits find."""
    alpha = Settings.model_fields["audit_alpha"].default
    rows = []
    for variant, policy, kinds in measured:
        if policy is None:
            continue
        for name, figures in kinds.items():
            lost, (low, high) = float(figures.lost.mean()), figures.interval
            above = policy.risk < lost < 1
            rows.append(
                (
                    variant,
                    name,
                    f"{lost:.1%} ({low:.1%} to {high:.1%})",
                    f"{figures.processed_ratio:.0%}",
                    f"{figures.full.balanced_accuracy:.1%}",
                    f"after {expected_audits(lost, policy.risk, alpha):,.0f} audits" if above else MISSING,
                )
            )
    headings = ("weights", "kind", "lost\ndecisions", "read", "balanced accuracy", "alarm")
    note = (
        f"On `{pictures.split}`, {len(pictures.labels)} pictures. Lost decisions: the certified policy decides "
        "otherwise than the full frame of that kind. Alarm: about when audits refute the certificate; "
        f"{MISSING}: not more is lost than promised, so there is no alarm."
    )
    return Table("Certified exits on kinds of pictures", headings, rows, (note,))


def masks_table(pictures: Photos) -> Table:
    """Figures of the shipped weights, and of their certified exits, behind masks."""
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
        "person found", "empty kept", "lost\ndecisions", "read",
    )  # fmt: skip
    note = (
        f"On `{pictures.split}`: the pictures without a person, and those whose largest person is at most "
        f"{MOST_COVERED:.0%} behind the mask; full frames, threshold 0.5. Without mask: the same pictures. The rest as "
        "a region: cut to the part that the mask leaves. Lost decisions: the certified policy decides otherwise than "
        "the full frame behind the same mask. Read: share of the rows under that policy."
    )
    return Table("Shipped weights behind masks", headings, rows, (note,))
