"""Runs the service: `python -m server --help`."""

import json
import os
import sys
from argparse import HelpFormatter
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import CliApp, CliSettingsSource, SettingsError

from model.certificate import CertificateError
from model.checkpoint import CheckpointError
from model.step import RuntimeUnavailableError
from server.connections.listener import ListenError
from server.connections.tls import TlsError
from server.http.problem import in_words
from server.process.audits_file import AuditsFileError
from server.service import run
from server.settings import Settings


class ExitStatus(IntEnum):
    """Exit status of the process (docs/running.md)."""

    ENDED = 0
    """A signal ended the service, after its drain."""
    FAILED = 1
    """A fault of the service."""
    BAD_SETTINGS = 2
    BAD_WEIGHTS = 3
    """Weights or their certificate cannot be used, or no runtime is installed."""
    NO_LISTENING = 4
    """The address or the TLS files cannot be used."""


KINDS: Final = {"str": "TEXT", "int": "N", "float": "NUMBER", "Path": "PATH", "SecretStr": "SECRET"}
"""Words of the help for the kinds of values, by type; lists are LIST."""


class VariableError(SettingsError):
    """An environment variable that can't be one of the service's; the message says how to write it."""


MENDABLE: dict[type[Exception], ExitStatus] = {
    ValidationError: ExitStatus.BAD_SETTINGS,
    SettingsError: ExitStatus.BAD_SETTINGS,
    CheckpointError: ExitStatus.BAD_WEIGHTS,
    CertificateError: ExitStatus.BAD_WEIGHTS,
    RuntimeUnavailableError: ExitStatus.BAD_WEIGHTS,
    TlsError: ExitStatus.NO_LISTENING,
    ListenError: ExitStatus.NO_LISTENING,
    AuditsFileError: ExitStatus.BAD_SETTINGS,
}
"""Errors at the start that the operator can mend: one sentence each, and an exit status."""


def main() -> None:
    """Settings from the command line and the environment."""
    try:
        settings = loaded(from_command_line)
        run(settings)
    except tuple(MENDABLE) as error:
        sentence = in_one_sentence(error)
        if isinstance(error, ListenError):
            setting, value = error.remedy
            sentence += f" or {Settings.variable_of(setting)}={value}"
        print(f"rascanet: {sentence}", file=sys.stderr)
        sys.exit(status_after(error))


def from_command_line() -> Settings:
    """Settings from the command line, and from the environment where the command line gives none."""
    source: CliSettingsSource[Any] = CliSettingsSource(
        Settings,
        add_argument_method=_add_option,
        formatter_class=HelpFormatter,  # it folds the description, as it folds the options
        cli_exit_on_error=False,
    )
    return CliApp.run(Settings, cli_settings_source=source, cli_exit_on_error=False)


def _add_option(parser: Any, *names: str, **options: Any) -> Any:
    """Adds an option to a parser of the standard library; names the kind of its value as an operator would."""
    kind = options.get("metavar")
    if isinstance(kind, str):
        options["metavar"] = "LIST" if kind.startswith("list[") else KINDS.get(kind, kind)
    return parser.add_argument(*names, **options)


def status_after(error: Exception) -> ExitStatus:
    """The exit status after one of the errors in `MENDABLE`."""
    return next(status for kind, status in MENDABLE.items() if isinstance(error, kind))


def loaded(load: Callable[[], Settings]) -> Settings:
    """The settings that a function loads.

    Raises:
        VariableError: a list that is none, of which the library's own sentence names neither the variable nor the form;
            or a mistyped variable, which the library would pass over.
        SettingsError: options that there are not.
        ValidationError: values that can't be.
    """
    for name in os.environ:
        meant = Settings.meant_by(name)
        if meant:
            raise VariableError(f"{name} is no setting; did you mean {meant}?")
    try:
        return load()
    except RecursionError:
        raise VariableError("a list of values is nested too deeply") from None
    except SettingsError:
        for name, text in os.environ.items():
            if name.upper() in Settings.list_variables() and not _is_json(text):
                raise VariableError(f'{name} is not a list in JSON, such as {name}=\'["first", "second"]\'') from None
        raise


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def in_one_sentence(error: Exception) -> str:
    """The error in one sentence for the operator, without the values given, since one of them may be a secret."""
    if isinstance(error, ValidationError):
        return in_words(error.errors(include_input=False, include_url=False))
    text = " ".join(str(error).split())
    # argparse quotes what it cannot place.
    if isinstance(error, SettingsError) and not isinstance(error, VariableError):
        for given in sys.argv[1:]:
            text = text.replace(given, given.partition("=")[0] if given.startswith("--") else "...")
        text += '; `python -m server --help` lists the options, lists of values are JSON, such as ["a"]'
    return text


if __name__ == "__main__":
    main()
