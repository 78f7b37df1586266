"""`rascanet`: the command line."""

import typer

from clients.commands import (
    budget,
    calibrate,
    data,
    demo,
    evaluate,
    events,
    exits,
    import_checkpoint,
    model_card,
    record,
    report,
    sensor_sheet,
    serve,
    stream,
    teach,
    train,
    training_curves,
)
from clients.commands.bench import command as bench
from clients.commands.classify import command as classify

app = typer.Typer(
    help="Person or no person, decided while the image sensor is still reading out its frame.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    stream,
    record,
    classify,
    demo,
    serve,
    budget,
    calibrate,
    data,
    evaluate,
    events,
    exits,
    train,
    training_curves,
    teach,
    import_checkpoint,
    model_card,
    report,
    sensor_sheet,
    bench,
):
    command.register(app)

if __name__ == "__main__":
    app()
