"""The monitor under simulated audits. `python -m tests.model.monitor_laws`: 10,000 runs of 10,000 audits, seconds."""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.risk_monitor import BOUND_STAKES, expected_audits, log_evidence

RISK, ALPHA = 0.05, 0.01
BATCH = 100


def most_alarms(runs: int) -> int:
    """The most alarms among runs that have a chance of alpha each, but for one chance in a thousand."""
    term, total, count = math.exp(runs * math.log1p(-ALPHA)), 0.0, 0
    while (total := total + term) < 0.999:
        term *= (runs - count) / (count + 1) * ALPHA / (1 - ALPHA)
        count += 1
    return count


def _lost(runs: int, audits: int, true_risk: float, seed: int) -> list[npt.NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return [rng.random((min(BATCH, runs - first), audits), np.float32) < true_risk for first in range(0, runs, BATCH)]


def _table(audits: int, risk: float, stakes: tuple[float, ...] | None = None) -> npt.NDArray[np.int32]:
    """For each number of audits, the fewest lost ones that raise the alarm; with stakes from below, the most."""
    numbers = np.arange(1, audits + 1)
    fewest = np.zeros(audits, np.int32)
    low, high = np.zeros(audits, np.int32), (numbers + 1).astype(np.int32)
    below = stakes is not None
    while (low < high).any():
        middle = (low + high) // 2
        evidence = log_evidence(numbers, middle, risk, stakes) if stakes else log_evidence(numbers, middle, risk)
        over = (evidence >= -math.log(ALPHA)) ^ below
        low, high = np.where(over, low, middle + 1), np.where(over, middle, high)
        fewest = low
    return fewest - below


def first_alarms(runs: int, audits: int, true_risk: float, seed: int = 0) -> npt.NDArray[np.int64]:
    """Number of audits at the alarm of each run; `audits` + 1 where there is none."""
    fewest = _table(audits, RISK)
    found = []
    for lost in _lost(runs, audits, true_risk, seed):
        over = np.cumsum(lost, 1, dtype=np.int32) >= fewest
        found.append(np.where(over.any(1), over.argmax(1) + 1, audits + 1))
    return np.concatenate(found)


def alarms(runs: int, audits: int, true_risk: float, seed: int = 0) -> int:
    """Number of runs with an alarm."""
    return int((first_alarms(runs, audits, true_risk, seed) <= audits).sum())


def bound_errors(runs: int, audits: int, true_risk: float, seed: int = 1) -> int:
    """Number of runs in which the upper bound is ever below the true risk, which bets from below then refute."""
    most = _table(audits, true_risk, BOUND_STAKES)
    return sum(
        int((np.cumsum(lost, 1, dtype=np.int32) <= most).any(1).sum()) for lost in _lost(runs, audits, true_risk, seed)
    )


def with_foresight(runs: int, audits: int, seed: int = 2) -> int:
    """Number of alarms at the promised risk of a cheat, who loses no bet on every tenth audit, as if it knew them."""
    gain, loss = math.log(2.0), math.log((1 - 2 * RISK) / (1 - RISK))
    found = 0
    for lost in _lost(runs, audits, RISK, seed):
        bets = np.where(lost, gain, loss)
        bets[:, ::10] = np.maximum(bets[:, ::10], 0)  # no stake where the future says that nothing is won
        found += int((np.cumsum(bets, 1) >= -math.log(ALPHA)).any(1).sum())
    return found


def replica_alarms(
    runs: int, audits: int, true_risk: float, replicas: int = 4, shared: float = 0.5, seed: int = 5
) -> tuple[int, int]:
    """Number of runs in which the mean of the evidence of several replicas raises the alarm, and the product of it.

    Args:
        runs, audits: number of runs, and of audits of each replica.
        true_risk: risk of every audit.
        replicas: number of replicas, which watch apart.
        shared: share of the audits in which all replicas see the same.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    numbers = np.arange(1, audits + 1)
    mean_alarms = product_alarms = 0
    for first in range(0, runs, BATCH):
        shape = min(BATCH, runs - first), audits
        alike, common = rng.random(shape) < shared, rng.random(shape) < true_risk
        lost = [np.where(alike, common, rng.random(shape) < true_risk).cumsum(1) for _ in range(replicas)]
        evidence = np.stack([log_evidence(numbers, each, RISK) for each in lost])
        mean = np.logaddexp.reduce(evidence) - math.log(replicas)
        mean_alarms, product_alarms = (
            count + int((each >= -math.log(ALPHA)).any(1).sum())
            for count, each in ((mean_alarms, mean), (product_alarms, evidence.sum(0)))
        )
    return mean_alarms, product_alarms


def draw(path: Path, runs: int = 12, audits: int = 500) -> None:
    """Draws the evidence of some runs at the promised risk and at twice that risk."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "watch"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    numbers = np.arange(1, audits + 1)
    for true_risk, colour, words in ((RISK, "tab:blue", "as promised: 5 % lost"), (2 * RISK, "tab:red", "10 % lost")):
        (lost,) = _lost(runs, audits, true_risk, seed=4)
        for number, run in enumerate(lost):
            evidence = np.exp(log_evidence(numbers, np.cumsum(run), RISK))
            axes.plot(numbers, evidence, colour, linewidth=0.9, alpha=0.7, label=None if number else words)
    axes.axhline(1 / ALPHA, color="black", linestyle="--", linewidth=1)
    axes.text(2, 1.25 / ALPHA, "alarm")
    axes.set(yscale="log", ylim=(0.02, 1e5), xlim=(0, audits), xlabel="audits", ylabel="evidence against the promise")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--audits", type=int, default=10_000)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draws the picture of docs/early-exit.md instead")
    wanted = parser.parse_args()
    if wanted.plot:
        draw(wanted.plot)
        return
    runs, audits = wanted.runs, wanted.audits
    false, wrong, cheating = alarms(runs, audits, RISK), bound_errors(runs, audits, RISK), with_foresight(runs, audits)
    print(f"{runs} runs of {audits} audits at a risk of {RISK:g}, alpha {ALPHA:g}; at most {most_alarms(runs)} may err")
    print(f"false alarms {false}, bounds below the risk {wrong}, false alarms with foresight {cheating}")
    mean, product = replica_alarms(runs, min(audits, 1000), RISK)
    print(
        f"four replicas that see the same half of the time: false alarms of the mean {mean}, of the product {product}"
    )
    delays = {}
    for true_risk in (0.1, 0.2):
        delays[true_risk] = float(np.median(first_alarms(runs, 3000, true_risk, 3)))
        theory = expected_audits(true_risk, RISK, ALPHA)
        print(f"at a risk of {true_risk:g}: alarm after {delays[true_risk]:.0f} audits (median), theory {theory:.0f}")
    kept = max(false, wrong, mean) <= most_alarms(runs) < min(cheating, product)
    kept &= all(abs(delay / expected_audits(true, RISK, ALPHA) - 1) <= 0.2 for true, delay in delays.items())
    if not kept:
        raise SystemExit("a law of the monitor is broken")


if __name__ == "__main__":
    main()
