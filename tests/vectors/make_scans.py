"""Writes scans.json: what each exit policy makes of curves made up at random, for the policies in JavaScript."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from model.exit_policy import CalibratedPolicy, Policy, describe_policy, parse_policy
from model.scan import FrameScan

FILE = Path(__file__).parent / "scans.json"

BURSTS = (21, 42)
CURVES = 6
"""Of each number of bursts."""
CERTIFIED = CalibratedPolicy(
    person_first=0.95,
    person_last=0.55,
    empty_first=1.35,
    empty_last=0.6,
    loss="disagreement",
    condition="marginal",
    risk=0.05,
    delta=0.05,
    certificate="ab" * 32,
)
WANTED: tuple[dict[str, Any], ...] = (
    {"name": "published"},
    {"name": "published", "exit_threshold": 0.8, "skip_threshold": 0.3},
    {"name": "published", "exit_threshold": 1, "skip_threshold": 0.5},
    {"name": "never"},
    {"name": "two_sided"},
    {"name": "two_sided", "exit_above": 0.75, "exit_below": 0.2},
    {"name": "per_burst"},
    {"name": "per_burst", "person_first": 0.9, "person_last": 0.55, "empty_first": 1.2, "empty_last": 0.5},
    {"name": "patience"},
    {"name": "patience", "bursts": 3, "from_share": 0.1},
    {"name": "confidence"},
    {"name": "confidence", "threshold": 0.7},
    {"name": "sequential"},
    {"name": "sequential", "evidence": 2.5, "decay": 0.5},
    {"name": "fixed_row"},
    {"name": "fixed_row", "share": 0.25},
    {"name": "calibrated"},
)


def curves() -> list[list[tuple[float, float]]]:
    """P(person) and confidence after each burst: walks of log odds, the confidence rising with the rows."""
    rng = np.random.default_rng(26)
    made = []
    for bursts in BURSTS:
        for _ in range(CURVES):
            odds = np.cumsum(rng.normal(0, 0.7, bursts)) + rng.normal(0, 1)
            p_person = (1 / (1 + np.exp(-odds))).round(6)
            confidence = np.clip(np.linspace(0.4, 1, bursts) + rng.normal(0, 0.1, bursts), 0, 1).round(6)
            made.append(list(zip(p_person.tolist(), confidence.tolist(), strict=True)))
    return made


def _scanned(curve: list[tuple[float, float]], policy: Policy) -> dict[str, Any]:
    scan = FrameScan(len(curve), policy)
    skips = []
    while not scan.decided:
        skipped = scan.advance(*curve[scan.next_burst])
        if skipped is not None:
            skips.append(skipped)
    return {
        "burst_index": scan.last_burst,
        "p_person": scan.p_person,
        "person": scan.person,
        "exited": scan.exited,
        "processed": scan.processed,
        "skips": skips,
        "unread": scan.unread,
    }


def vectors() -> dict[str, Any]:
    """The curves, and for each policy a scan of each curve."""
    made = curves()
    policies = [parse_policy(wanted, CERTIFIED) for wanted in WANTED]
    return {
        "certified": describe_policy(CERTIFIED),
        "curves": made,
        "policies": [
            {
                "wanted": wanted,
                "policy": describe_policy(policy),
                "scans": [_scanned(curve, policy) for curve in made],
            }
            for wanted, policy in zip(WANTED, policies, strict=True)
        ],
    }


def main() -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(vectors()) + "\n")


if __name__ == "__main__":
    main()
