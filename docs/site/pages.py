"""Gathers the pages of the documentation site where they link to each other: `python docs/site/pages.py FOLDER`.

The Markdown files lie as they do in the repository; beside them the reference, which is made from the sources, and the
page as static files (`make site`).
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from server.app import create_app
from server.settings import Settings

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
TOOLS: Final = HERE / "node_modules"

LINKED: Final = ("asyncapi.yaml", "LICENSE", "clients/firmware/src/rascanet.h")
"""Files other than pages and pictures that pages link to."""

VIEWERS: Final = (
    "redoc/bundles/redoc.standalone.js",
    "@asyncapi/react-component/browser/standalone/index.js",
    "@asyncapi/react-component/styles/default.min.css",
)


def gather(folder: Path) -> None:
    """Writes all pages to a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns(HERE.name))
    for path in [*ROOT.glob("*.md"), *(ROOT / name for name in LINKED)]:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    shutil.copytree(ROOT / "build" / "site", folder / "demo")
    reference = folder / "reference"
    shutil.copytree(HERE / "reference", reference)
    for name in VIEWERS:
        shutil.copy(TOOLS / name, reference)
    (reference / "openapi.json").write_text(json.dumps(create_app(Settings(), {}).openapi(), indent=1))
    subprocess.run([TOOLS / ".bin" / "typedoc", "--out", reference / "javascript"], check=True, cwd=HERE)


if __name__ == "__main__":
    gather(Path(sys.argv[1]).resolve())
