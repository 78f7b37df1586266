"""`rascanet`: the command line. A command's module is imported once that command is asked for, or help on them all."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from clients.commands.command_line import CommandLine, Group

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "start.demo",
    "serve": "start.serve",
    "stream": "stream.stream",
    "classify": "classify.command",
    "budget": "train.budget",
    "record": "stream.record",
    "replay": "stream.replay",
    "events": "stream.events",
    "mqtt-remove": "stream.mqtt_remove",
    "evaluate": "evidence.evaluate",
    "report": "evidence.report",
    "exits": "evidence.exits",
    "calibrate": "evidence.calibrate",
    "model-card": "evidence.model_card",
    "data": "train.data",
    "teach": "train.teach",
    "train": "train.train",
    "training-curves": "train.training_curves",
    "import-checkpoint": "train.import_checkpoint",
    "quantize": "train.quantize",
    "export": "train.export",
    "bench": "bench.command",
    "sensor-sheet": "bench.sensor_sheet",
}
"""The module that registers each command: room, then file."""

FIRST_DAY: Final = ("demo", "serve", "stream", "classify", "budget")
"""Commands that a newcomer needs; help lists them first."""
FIRST_PANEL: Final = "For the first day"
PANELS: Final[Mapping[str, str]] = {
    "stream": "A simulated sensor",
    "evidence": "How good a network is",
    "train": "Data and training",
    "bench": "Figures of this project's pages",
}
"""The heading of each room's other commands."""

EPILOG: Final = (
    "Exit status: 0 done; 1 some inputs, or all, could not be used; 2 the command can't be run as asked, or something "
    "that it needs is missing or lost; 3 there was nothing to work on; 130 interrupted (`demo`: 0); 141 the reader of "
    "the output closed the pipe. `serve` has its own: see its help."
)


class Commands(Group):
    """The group: names first, a command itself when it is looked up."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names, those of a first day first."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns a command, its module imported; None for a name that no command has."""
        if cmd_name not in COMMANDS:
            return None
        registered = CommandLine()
        registered.callback()(rascanet)  # with a callback Typer makes a group, of one command too
        import_module(f"clients.commands.{COMMANDS[cmd_name]}").register(registered)
        group = typer.main.get_command(registered)
        assert isinstance(group, TyperGroup)  # noqa: S101 - it has a callback
        return group.commands[cmd_name]

    def panel(self, name: str) -> str:
        """Returns the heading under which a command is listed."""
        return FIRST_PANEL if name in FIRST_DAY else PANELS[COMMANDS[name].partition(".")[0]]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command that the arguments name, or suggests one."""
        self.commands.update(dict.fromkeys(COMMANDS))  # type: ignore[arg-type] # names, for the suggestions
        return super().resolve_command(ctx, args)


app = CommandLine(cls=Commands, no_args_is_help=True, epilog=EPILOG)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"rascanet-stream {version('rascanet-stream')}")
        raise typer.Exit


@app.callback()
def rascanet(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Person or no person, decided while the image sensor is still reading out its frame.

    Examples:
        rascanet demo
        rascanet classify photo.jpg
        rascanet COMMAND --help
    """


if __name__ == "__main__":
    app()
