"""Labelled photographs that a command works on."""

from pathlib import Path
from typing import Annotated

import typer

PhotosFolder = Annotated[
    Path,
    typer.Option(
        "--photos", metavar="FOLDER", help="folder of photographs with an index.csv; `rascanet data` makes one"
    ),
]
