"""Writes asyncapi.yaml (`make vectors`)."""

from pathlib import Path

import yaml

from server.stream.asyncapi import document

PATH = Path(__file__).parents[2] / "asyncapi.yaml"


def text() -> str:
    """The file's text."""
    written: str = yaml.safe_dump(document(), sort_keys=False, width=120, allow_unicode=True)
    return "# Written by `make vectors` from sensor_sim/wire.py and server/; not by hand.\n" + written


if __name__ == "__main__":
    PATH.write_text(text())
