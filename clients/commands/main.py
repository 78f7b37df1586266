"""`rascanet`: the command line."""

import typer

from clients.commands import budget, classify, demo, evaluate, import_checkpoint, record, serve, stream, train
from clients.commands.bench import command as bench

app = typer.Typer(
    help="Person or no person, decided while the image sensor is still reading out its frame.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (stream, record, classify, demo, serve, budget, evaluate, train, import_checkpoint, bench):
    command.register(app)

if __name__ == "__main__":
    app()
