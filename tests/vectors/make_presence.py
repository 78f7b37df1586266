"""Writes presence.json: P(person) of frames, and what turned at each, for Python and the page alike."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clients.python.presence import Hysteresis, Presence

FILE = Path(__file__).parent / "presence.json"

RULES = (Hysteresis(), Hysteresis(0.5, 0.35, 2, 5), Hysteresis(0.5, 0.5, 1, 1), Hysteresis(0.8, 0.2, 4, 2))
FRAMES = 200


def vectors() -> list[dict[str, Any]]:
    """Walks of P(person) that cross the thresholds, also touching them exactly."""
    made = []
    for seed, rule in enumerate(RULES):
        steps = np.cumsum(np.random.default_rng(seed).normal(0, 0.12, FRAMES))
        walk = [round(float(value), 2) for value in 0.5 + 0.5 * np.sin(steps * 3)]
        walk[10:14] = [rule.enter] * 4
        walk[50:56] = [rule.leave] * 6
        presence = Presence(rule)
        turns = [event.turn.value if event else None for event in map(presence.add, walk)]
        made.append({"hysteresis": asdict(rule), "p_person": walk, "turns": turns})
    return made


def main() -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(vectors()) + "\n")


if __name__ == "__main__":
    main()
