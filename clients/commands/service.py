"""Which service the commands ask, and as whom."""

from typing import Annotated, Final

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option(help="address of the service")]
BearerToken = Annotated[
    str | None,
    typer.Option(
        envvar="RASCANET_BEARER_TOKEN",
        show_envvar=True,
        help="for a service that asks for one; better in the environment, where other users don't see it",
    ),
]
