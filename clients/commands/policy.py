"""The options that choose an exit policy."""

from typing import Annotated, Any

import typer

Policy = Annotated[str, typer.Option(help="exit policy: published or never")]
ExitThreshold = Annotated[float | None, typer.Option(help="exit once P(person) is this or more (published: 0.99)")]
SkipThreshold = Annotated[
    float | None, typer.Option(help="skip a burst while P(person) is this or less (published: 0.005)")
]
Variant = Annotated[str, typer.Option(help="network: 105x120 or 210x240")]


def policy_of(name: str, exit_threshold: float | None, skip_threshold: float | None) -> dict[str, Any]:
    """The policy as `hello` wants it; what is not given is left to the policy's defaults."""
    thresholds = {"exit_threshold": exit_threshold, "skip_threshold": skip_threshold}
    return {"name": name} | {key: value for key, value in thresholds.items() if value is not None}
