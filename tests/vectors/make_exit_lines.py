"""Writes exit_lines.json: policies, and what each says of P(person) at shares of the frame, for the page's lines."""

import json
from pathlib import Path
from typing import Any

from model.exit_policy import (
    START,
    PerBurstPolicy,
    Policy,
    PublishedPolicy,
    Seen,
    TwoSidedPolicy,
    describe_policy,
    parse_policy,
)

FILE = Path(__file__).parent / "exit_lines.json"

BURSTS = (21, 42)
POLICIES: tuple[dict[str, Any], ...] = (
    {"name": PublishedPolicy.name, "exit_threshold": 0.857, "skip_threshold": 0.1},
    {"name": TwoSidedPolicy.name, "exit_above": 0.9, "exit_below": 0.125},
    {"name": PerBurstPolicy.name, "person_first": 1.3, "person_last": 0.6, "empty_first": 0.95, "empty_last": 0.55},
    {"name": PerBurstPolicy.name, "person_first": 0.7, "person_last": 0.7, "empty_first": 2.0, "empty_last": 0.5},
)
"""Of the kinds that the page draws: a level, two levels, lines that fall, that begin above 1, that rise never."""


def _touching(policy: Policy, share: float) -> list[float]:
    """P(person) on a grid, and where a line of the policy passes: a tie must fall the same way everywhere."""
    given = describe_policy(policy)
    wanted = [given[key] for key in ("exit_threshold", "skip_threshold", "exit_above", "exit_below") if key in given]
    for side in ("person", "empty"):
        if f"{side}_first" in given:
            first, last = given[f"{side}_first"], given[f"{side}_last"]
            line = first + (last - first) * share
            wanted.append(line if side == "person" else 1 - line)
    return sorted({0.0, 1.0, *(step / 20 for step in range(1, 20)), *(p for p in wanted if 0 <= p <= 1)})


def vectors() -> list[dict[str, Any]]:
    """Of each policy and frame, bursts with P(person) and the verdict."""
    made = []
    for given in POLICIES:
        policy = parse_policy(given)
        for bursts in BURSTS:
            cases = []
            for burst in range(0, bursts, 4):
                share = (burst + 1) / bursts
                for p_person in _touching(policy, share):
                    verdict, _ = policy.verdict(Seen(share, p_person, 1.0), START)
                    cases.append({"burst": burst, "p_person": p_person, "verdict": verdict.value})
            made.append({"policy": describe_policy(policy), "bursts_per_frame": bursts, "cases": cases})
    return made


def main() -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(vectors()) + "\n")


if __name__ == "__main__":
    main()
