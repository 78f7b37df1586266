"""Writes facts.ts: what the JavaScript package knows about sensors, networks and policies, from where it is defined."""

import json
from pathlib import Path
from typing import Any

from model.budget import budget
from model.config import VARIANTS
from model.exit_policy import PERSON_FROM, POLICIES, CalibratedPolicy, describe_kind
from model.promise import PROMISES
from sensor_sim.profiles import PROFILES

FILE = Path(__file__).parent.parent.parent / "clients" / "javascript" / "src" / "facts.ts"


def facts() -> dict[str, Any]:
    """Timing of real sensors, exit policies, promises of certificates, and the work of one burst of each network."""
    return {
        "sensors": [
            {
                "name": profile.name,
                "label": profile.label,
                "height": profile.height,
                "width": profile.width,
                "line_time_us": round(profile.line_time_us, 4),
                "frame_period_us": round(profile.frame_period_us, 2),
            }
            for profile in PROFILES.values()
        ],
        "person_from": PERSON_FROM,
        "policies": [describe_kind(kind) for kind in (*POLICIES.values(), CalibratedPolicy)],
        "promises": PROMISES,
        "macs_per_burst": {name: budget(config).macs_per_burst for name, config in VARIANTS.items()},
    }


def text() -> str:
    """The module, as TypeScript: not every browser and bundler reads JSON as a module."""
    return f"/** Written by tests/vectors/make_facts.py. */\nexport const facts = {json.dumps(facts(), indent=2)};\n"


def main() -> None:
    """Writes the file."""
    FILE.write_text(text())


if __name__ == "__main__":
    main()
