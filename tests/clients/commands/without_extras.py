"""Runs commands in an interpreter that has none of the packages of the extras, as after `make demo`.

Reads a JSON list of command lines on standard input; writes a JSON list of exit status and both outputs.
"""

import json
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

from clients.commands.console import EXTRAS


class _Hidden(MetaPathFinder):
    """Finds nothing of the extras, and lets nobody else find it."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def main() -> None:
    """See the module."""
    sys.meta_path.insert(0, _Hidden())
    from typer.testing import CliRunner

    from clients.commands.main import app

    results = []
    for arguments in json.load(sys.stdin):
        result = CliRunner().invoke(app, arguments)
        results.append((result.exit_code, result.stdout, result.stderr, repr(result.exception)))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
