"""`rascanet budget`: what the networks cost, computed from the networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import console, failing_on

if TYPE_CHECKING:
    from clients.commands.table import Table
    from model.budget import Layer
    from model.config import RaScaNetConfig


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("budget")(budget)


def budget(
    layers: Annotated[bool, typer.Option("--layers", help="add a table of the layers")] = False,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Markdown page whose tables are replaced by these")
    ] = None,
) -> None:
    """Prints weights, peak activations and operations of both variants (1 kB = 1,000 B, one byte a value).

    Examples:
        rascanet budget
        rascanet budget --layers
    """
    from clients.commands.table import PageError, refresh_page
    from model.config import VARIANTS

    tables = {"budget totals": [_totals()]}
    if layers:
        tables["budget layers"] = [_layers(config) for config in VARIANTS.values()]
    for each in tables.values():
        for table in each:
            table.show(console)
    if page:
        with failing_on(OSError, PageError):
            refresh_page(page, tables)


def _totals() -> "Table":
    from clients.commands.table import Table
    from model.budget import budget as budget_of
    from model.config import VARIANTS

    rows = [
        (
            cost.variant,
            f"{_hundredths(cost.weight_bytes, 1_000)} kB",
            f"{_hundredths(cost.peak_activation_bytes, 1_000)} kB",
            f"{cost.macs_per_burst:,}",
            f"{_hundredths(cost.operations_per_frame, 1_000_000)} M",
        )
        for cost in map(budget_of, VARIANTS.values())
    ]
    headings = (
        "variant",
        "weights",
        "peak\nactivations",
        "multiply-accumulates\na burst",
        "operations\na frame",
    )
    return Table("Budget", headings, rows)


def _layers(config: "RaScaNetConfig") -> "Table":
    """The layers of one network; two heads that are alike are told once."""
    from clients.commands.table import Table
    from model.budget import budget as budget_of
    from model.budget import layers as layers_of

    def told(layer: "Layer") -> str:
        head, found, rest = layer.name.partition(", ")
        return f"each head, {rest}" if found and head.startswith("head ") else layer.name

    whole = budget_of(config)
    alike: dict[str, list[Layer]] = {}
    for layer in layers_of(config):
        alike.setdefault(told(layer), []).append(layer)
    rows = []
    for name, same in alike.items():
        first, macs = same[0], sum(layer.macs for layer in same)
        rows.append(
            (
                name,
                " x ".join(map(str, first.output)),
                f"{first.weights + first.other_parameters:,}",
                f"{first.activations:,}",
                f"{macs:,}",
                f"{macs / whole.macs_per_burst:.0%}",
            )
        )
    headings = ("layer", "output", "parameters", "input and\noutput", "MACs\na burst", "share")
    title = f"Layers of {config.name}, one burst"
    note = (
        'Output: channels x rows x columns. MACs: multiply-accumulates. In rows that begin with "each head", MACs and '
        "share are of both heads; their other figures are of one head."
    )
    return Table(title, headings, rows, (note,))


def _hundredths(value: int, unit: int) -> str:
    """Two decimals, halves rounded down: the published 31.77 kB are 31,775 B."""
    hundredths = -(-(2 * value * 100 - unit) // (2 * unit))
    return f"{hundredths // 100}.{hundredths % 100:02d}"
