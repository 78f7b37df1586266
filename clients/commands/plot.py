"""Pictures of figures, by matplotlib."""

from pathlib import Path
from typing import TYPE_CHECKING

from clients.commands.console import need

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width_in: float, height_in: float, dpi: int = 100) -> "Figure":
    """An empty figure; ends the command with a line where matplotlib is not installed."""
    need("matplotlib")
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), dpi=dpi, layout="constrained")


def save(figure: "Figure", path: Path) -> None:
    """By the suffix of the path; the same bytes for the same figure."""
    import matplotlib as mpl

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "rascanet"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
