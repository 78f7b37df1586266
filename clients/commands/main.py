"""`rascanet`: the command line. A command's module is imported once that command is asked for, or help on them all."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS: Final[Mapping[str, str]] = {
    "stream": "stream.stream",
    "replay": "stream.stream",
    "record": "stream.record",
    "classify": "classify.command",
    "demo": "start.demo",
    "serve": "start.serve",
    "budget": "train.budget",
    "calibrate": "evidence.calibrate",
    "data": "train.data",
    "evaluate": "evidence.evaluate",
    "events": "stream.events",
    "exits": "evidence.exits",
    "train": "train.train",
    "training-curves": "train.training_curves",
    "teach": "train.teach",
    "import-checkpoint": "train.import_checkpoint",
    "model-card": "evidence.model_card",
    "report": "evidence.report",
    "sensor-sheet": "bench.sensor_sheet",
    "bench": "bench.command",
}
"""Of each command the module that registers it."""


class _Commands(TyperGroup):
    """The group: names first, a command itself when it is looked up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands.update({name: TyperCommand(name) for name in COMMANDS})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        registered = typer.Typer()
        import_module(f"clients.commands.{COMMANDS[cmd_name]}").register(registered)
        return typer.main.get_group(registered).commands[cmd_name]


app = typer.Typer(cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def rascanet() -> None:
    """Person or no person, decided while the image sensor is still reading out its frame."""


if __name__ == "__main__":
    app()
