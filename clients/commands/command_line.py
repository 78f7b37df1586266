"""Commands as `rascanet` has them: plain help that fits any terminal and begins with an example, and one way to end."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from clients.commands.console import ended_in_order, ending

EXAMPLES: Final = "\n\nExamples:\n"
"""Line at which the examples of a command's docstring begin; they go on to the docstring's end."""
Function = TypeVar("Function", bound=Callable[..., Any])
CONTEXT: Final = {"help_option_names": ["-h", "--help"]}


class Command(TyperCommand):
    """A command: help in groups of options, nothing cut; errors and signals end it in order."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help: usage, examples, description, options."""
        _write_head(self, ctx, formatter)
        _write_options(self, ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        with ended_in_order(), ending():
            return super().invoke(ctx)


class Group(TyperGroup):
    """A group of commands, listed in panels."""

    def panel(self, name: str) -> str:
        """Returns the heading under which a command is listed."""
        return "Commands"

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help: usage, examples, description, commands by panel, options."""
        _write_head(self, ctx, formatter)
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None:
                panels.setdefault(self.panel(name), []).append((name, _summary(command)))
        for heading, rows in panels.items():
            with formatter.section(heading):
                formatter.write_dl(rows)
        _write_options(self, ctx, formatter)
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(self.epilog)


class CommandLine(typer.Typer):
    """A `Typer` whose commands and groups are those of this module."""

    def __init__(self, *, cls: type[Group] = Group, **options: Any) -> None:
        super().__init__(
            cls=cls, context_settings=dict(CONTEXT), rich_markup_mode=None, pretty_exceptions_enable=False, **options
        )

    def command(self, *names: Any, **options: Any) -> Callable[[Function], Function]:
        """Registers a function as a `Command`; arguments as those of `Typer.command`."""
        return super().command(*names, **{"cls": Command} | options)


def examples_of(command: Any) -> list[str]:
    """Returns the example lines of a command's help."""
    _, _, examples = (command.help or "").partition(EXAMPLES)
    return [line.strip() for line in examples.splitlines() if line.strip()]


def _summary(command: Any) -> str:
    text: str = (command.help or "").partition(EXAMPLES)[0].partition("\n\n")[0]
    return " ".join(text.split())


def _write_head(command: Any, ctx: Any, formatter: Any) -> None:
    formatter.write_usage(ctx.command_path, " ".join(command.collect_usage_pieces(ctx)))
    examples = examples_of(command)
    if examples:
        with formatter.section("Examples"):
            for line in examples:
                formatter.write(f"  {line}\n")
    text = (command.help or "").partition(EXAMPLES)[0]
    if text:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            usual = "Options"
            if parameter.param_type_name == "argument":
                usual, record = "Arguments", (record[0].partition(" <")[0], record[1])  # without Python's type
            panels.setdefault(getattr(parameter, "rich_help_panel", None) or usual, []).append(record)
    for heading, rows in sorted(panels.items(), key=lambda panel: panel[0] == "Options"):
        with formatter.section(heading):
            formatter.write_dl(rows)
