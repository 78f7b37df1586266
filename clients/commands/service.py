"""The options that say which service a command asks, and as whom."""

from dataclasses import dataclass
from typing import Annotated, Final

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8000"
PANEL: Final = "Service"

Url = Annotated[str, typer.Option(metavar="URL", rich_help_panel=PANEL, help="address of the service")]
BearerToken = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN",
        envvar="RASCANET_BEARER_TOKEN",
        show_envvar=True,
        rich_help_panel=PANEL,
        help="token, if the service asks for one; better in the environment, where other users don't see it",
    ),
]


@dataclass(frozen=True, slots=True)
class ServiceChoice:
    """The service that the options name."""

    url: Url = DEFAULT_URL
    bearer_token: BearerToken = None
