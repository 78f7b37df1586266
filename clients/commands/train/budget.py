"""`rascanet budget`: what the networks cost, computed from the networks."""

import typer

from clients.commands.console import console, need


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("budget")(budget)


def budget() -> None:
    """Prints weights, peak activations and operations of both variants (1 kB = 1,000 B, one byte a value).

    Examples:
        rascanet budget
    """
    need("torch")
    from rich.table import Table

    from model.budget import budget as budget_of
    from model.config import VARIANTS

    table = Table(title="Budget")
    for heading in ("variant", "weights", "peak activations", "multiply-accumulates a burst", "operations a frame"):
        table.add_column(heading, justify="right")
    for config in VARIANTS.values():
        cost = budget_of(config)
        table.add_row(
            config.name,
            f"{_hundredths(cost.weight_bytes, 1_000)} kB",
            f"{_hundredths(cost.peak_activation_bytes, 1_000)} kB",
            f"{cost.macs_per_burst:,}",
            f"{_hundredths(cost.operations_per_frame, 1_000_000)} M",
        )
    console.print(table)


def _hundredths(value: int, unit: int) -> str:
    """Two decimals, halves rounded down: the published 31.77 kB are 31,775 B."""
    hundredths = -(-(2 * value * 100 - unit) // (2 * unit))
    return f"{hundredths // 100}.{hundredths % 100:02d}"
