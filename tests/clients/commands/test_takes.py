from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from clients.commands.command_line import CommandLine
from clients.commands.takes import takes


@dataclass(frozen=True)
class Lens:
    focus_mm: Annotated[float, typer.Option(help="of the lens")] = 8.0
    name: Annotated[str | None, typer.Option("--lens")] = None


@dataclass(frozen=True)
class Needed:
    port: Annotated[int, typer.Option()]


def test_fields_are_options_and_the_command_gets_values() -> None:
    seen: list[object] = []

    def look(lens: Lens, needed: Needed, file: Annotated[str, typer.Argument()], twice: bool = False) -> None:
        """Looks."""
        seen.extend([lens, needed, file, twice])

    app = CommandLine()
    app.command()(takes(look))
    done = CliRunner().invoke(app, ["a.png", "--lens", "x", "--port", "3", "--focus-mm", "2.5", "--twice"])
    assert done.exit_code == 0, done.output
    assert seen == [Lens(2.5, "x"), Needed(3), "a.png", True]
    assert CliRunner().invoke(app, ["a.png"]).exit_code == 2  # the port is needed
    assert "of the lens" in CliRunner().invoke(app, ["--help"]).stdout


def test_one_name_twice_is_a_mistake_of_ours() -> None:
    def look(lens: Lens, name: str) -> None:
        """Looks."""

    with pytest.raises(TypeError, match="takes 'name' twice"):
        takes(look)
