"""Options as dataclasses: a command takes a few values, its help and command line show their fields."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def takes(command: Callable[..., None]) -> Callable[..., None]:
    """Returns the command with the fields of its dataclass parameters in their place.

    The signature is built as `inspect` documents it (`__signature__`), which Typer reads. A field is an option of its
    name; its annotation says the rest, as that of a plain parameter does.

    Raises:
        TypeError: two parameters with one name.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if inspect.isclass(kind) and is_dataclass(kind)}
    spread: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = groups.get(name)
        for each in _parameters_of(kind) if kind else [parameter.replace(annotation=hints[name])]:
            if each.name in spread:
                raise TypeError(f"{command.__name__} takes {each.name!r} twice")
            spread[each.name] = each.replace(kind=inspect.Parameter.KEYWORD_ONLY)

    @wraps(command)
    def called(**given: Any) -> None:
        grouped = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)}) for name, kind in groups.items()
        }
        command(**grouped, **given)

    called.__signature__ = inspect.Signature(list(spread.values()))  # type: ignore[attr-defined] # documented by inspect
    del called.__wrapped__  # or its annotations would be read
    called.__annotations__ = {name: each.annotation for name, each in spread.items()}
    return called


def _parameters_of(kind: type) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(kind)
    ]
