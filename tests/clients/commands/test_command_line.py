"""Help of every command, as a reader with a terminal of 80 columns sees it."""

import itertools
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from clients.commands.command_line import examples_of
from clients.commands.main import COMMANDS, FIRST_DAY, FIRST_PANEL, PANELS, app
from server.settings import Settings

COLUMNS = 80
SETTING = re.compile(r"RASCANET_\w+=.*")
"""A setting before the command, as a shell takes it."""


def _every() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group by its names, `data vww` included."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    yield (), root
    for name in COMMANDS:
        command: Any = root.get_command(typer.Context(root), name)
        yield (name,), command
        if isinstance(command, TyperGroup):
            yield from (((name, inner), each) for inner, each in command.commands.items())


EVERY = dict(_every())
NAMES = [pytest.param(names, id=" ".join(names) or "rascanet") for names in EVERY]


def _help(names: tuple[str, ...], *, option: str = "--help") -> str:
    result = CliRunner().invoke(app, [*names, option], env={"COLUMNS": str(COLUMNS)})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("names", NAMES)
def test_help_fits_the_terminal_and_cuts_nothing(names: tuple[str, ...]) -> None:
    text = _help(names)
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert "…" not in text
    assert not re.search(r"<[a-z]", text, flags=re.I), "a kind of Python's where a word for the value belongs"
    if "--policy" in text:
        assert "policy" in text[: text.index("\nOptions:")].partition("When to stop:")[0], "which policy is the default"
    for parameter in EVERY[names].params:
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert re.search(rf"^  .*{re.escape(option)}\b", text, flags=re.M), option
    assert _help(names, option="-h") == text


@pytest.mark.parametrize("names", NAMES)
def test_help_begins_with_an_example_that_can_be_parsed(names: tuple[str, ...]) -> None:
    examples = examples_of(EVERY[names])
    assert examples
    text = _help(names)
    assert text.index("Examples:") < text.index("\n\n  ")
    for line in examples:
        words = shlex.split(line)
        program, *arguments = itertools.dropwhile(SETTING.fullmatch, words)
        settings = dict(word.split("=", 1) for word in words if SETTING.fullmatch(word))
        assert settings.keys() <= {f"RASCANET_{name}".upper() for name in Settings.model_fields}
        assert program == "rascanet"
        if "COMMAND" in arguments or "--help" in arguments:
            continue
        command = EVERY[(arguments[0], arguments[1])] if arguments[0] == "data" else EVERY[(arguments[0],)]
        command.make_context(arguments[0], arguments[2 if arguments[0] == "data" else 1 :])  # or it raises


def test_the_panels_are_the_rooms_and_a_first_day_comes_first() -> None:
    text = _help(())
    headings = [line.rstrip(":") for line in text.splitlines() if line.endswith(":")]
    assert headings == ["Examples", FIRST_PANEL, *PANELS.values(), "Options"]
    listed = re.findall(r"^  ([a-z][a-z-]*)  ", text, flags=re.M)
    assert listed == list(COMMANDS)
    assert tuple(listed[: len(FIRST_DAY)]) == FIRST_DAY
    rooms = [COMMANDS[name].partition(".")[0] for name in listed[len(FIRST_DAY) :]]
    assert list(dict.fromkeys(rooms)) == list(PANELS)
    assert rooms == sorted(rooms, key=list(PANELS).index)


def test_version_and_suggestions() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"rascanet-stream {version('rascanet-stream')}\n"
    mistyped = CliRunner().invoke(app, ["stram"])
    assert mistyped.exit_code == 2
    assert "Did you mean 'stream'" in mistyped.stderr
    option = CliRunner().invoke(app, ["stream", "photo.jpg", "--polcy", "never"])
    assert option.exit_code == 2
    assert "--policy" in option.stderr
