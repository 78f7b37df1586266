"""`rascanet budget`: what the networks cost, computed from the networks."""

import typer

from clients.commands.console import console


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("budget")(budget)


def budget() -> None:
    """Prints weights, peak activations and operations of both variants (1 kB = 1,000 B, one byte a value).

    Examples:
        rascanet budget
    """
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
    Table("Budget", headings, rows).show(console)


def _hundredths(value: int, unit: int) -> str:
    """Two decimals, halves rounded down: the published 31.77 kB are 31,775 B."""
    hundredths = -(-(2 * value * 100 - unit) // (2 * unit))
    return f"{hundredths // 100}.{hundredths % 100:02d}"
