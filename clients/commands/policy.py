"""The options that choose network and exit policy."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from clients.commands.suggestions import no_such

PANEL: Final = "When to stop"

Variant = Annotated[str, typer.Option(metavar="NAME", help="network: 105x120 or 210x240")]
Policy = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|JSON",
        rich_help_panel=PANEL,
        help="exit policy: a name (calibrated, published, never, two_sided, ...; docs/early-exit.md), or JSON with its "
        "parameters; if not given: see above",
    ),
]
ExitThreshold = Annotated[
    float | None,
    typer.Option(metavar="P", rich_help_panel=PANEL, help="published policy: exit once P(person) is this or more"),
]
SkipThreshold = Annotated[
    float | None,
    typer.Option(
        metavar="P", rich_help_panel=PANEL, help="published policy: skip a burst while P(person) is this or less"
    ),
]


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """The policy that the options describe."""

    policy: Policy = None
    exit_threshold: ExitThreshold = None
    skip_threshold: SkipThreshold = None

    def wanted(self) -> dict[str, Any] | None:
        """Returns the policy as `hello` wants it; None if no option says anything.

        Raises:
            ValueError: JSON that is no policy, or a name that no policy has.
        """
        return policy_of(self.policy, self.exit_threshold, self.skip_threshold)


def policy_of(name: str | None, exit_threshold: float | None, skip_threshold: float | None) -> dict[str, Any] | None:
    """Returns the policy as `hello` wants it; None if nothing is given. Thresholds alone are the published policy's.

    Raises:
        ValueError: JSON that is no policy, or a name that no policy has.
    """
    thresholds = {"exit_threshold": exit_threshold, "skip_threshold": skip_threshold}
    given = {key: value for key, value in thresholds.items() if value is not None}
    if name is None:
        return {"name": "published"} | given if given else None
    return _described(name) | given


def note_on(thresholds: Iterable[float]) -> str:
    """Returns the sentence that explains thresholds above 1; nothing if there are none."""
    from model.exit_policy import ABOVE_ONE

    return ABOVE_ONE if any(threshold > 1 for threshold in thresholds) else ""


def _described(name: str) -> dict[str, Any]:
    from model.exit_policy import NAMES

    described: dict[str, Any] = _parsed(name) if name.lstrip().startswith(("{", "[")) else {"name": name}
    if described["name"] not in NAMES:
        raise ValueError(no_such("policy", described["name"], NAMES))
    return described


def _parsed(name: str) -> dict[str, Any]:
    try:
        described: Any = json.loads(name)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--policy {name[:60]!r} is not JSON ({error})") from None
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        raise ValueError(
            f"--policy {name[:60]!r} does not name a policy; expected something like "
            '\'{"name": "two_sided", "exit_above": 0.9}\''
        )
    return dict(described)
