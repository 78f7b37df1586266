"""The options that choose an exit policy."""

import json
from typing import Annotated, Any

import typer

Policy = Annotated[str, typer.Option(help="exit policy: a name, or JSON with its parameters")]
ExitThreshold = Annotated[float | None, typer.Option(help="exit once P(person) is this or more (published: 0.99)")]
SkipThreshold = Annotated[
    float | None, typer.Option(help="skip a burst while P(person) is this or less (published: 0.005)")
]
Variant = Annotated[str, typer.Option(help="network: 105x120 or 210x240")]


def policy_of(name: str, exit_threshold: float | None, skip_threshold: float | None) -> dict[str, Any]:
    """The policy as `hello` wants it; what is not given is left to the policy's defaults.

    Raises:
        ValueError: JSON that is no object.
    """
    described = json.loads(name) if name.lstrip().startswith("{") else {"name": name}
    thresholds = {"exit_threshold": exit_threshold, "skip_threshold": skip_threshold}
    return described | {key: value for key, value in thresholds.items() if value is not None}
