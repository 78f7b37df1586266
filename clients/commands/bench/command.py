"""The command itself: runs suites, prints tables, writes JSON and refreshes a page's tables."""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from clients.commands.console import console, fail, failing_on, need
from clients.commands.suggestions import no_such
from clients.commands.table import PageError, refresh_page

SUITES = ("step", "stream", "sustain", "frames", "pictures", "sensor", "browser", "start")
APART = ("fleet",)
"""Suites with a page of their own, which `all` leaves out."""
ALL = "all"
FORMAT = "rascanet-stream bench/1"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("bench")(bench)


def bench(
    suites: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUITE", help=f"{', '.join(SUITES)}; all of these if none is named; or {', '.join(APART)}"
        ),
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="tiny counts: shows that it works, not how fast it is")
    ] = False,
    variant: Annotated[list[str] | None, typer.Option(metavar="NAME", help="network; both if not given")] = None,
    sustain_s: Annotated[
        float | None, typer.Option(min=0.1, metavar="S", help="seconds for which real-time streams must keep up")
    ] = None,
    pictures: Annotated[int | None, typer.Option(min=1, metavar="N", help="files in the suite `pictures`")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="file for the figures")] = None,
    earlier: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="figures of an earlier run instead of a new one")
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="checkout of another version, measured too in `stream` and `sustain`"),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="photographs with an index.csv: accuracy of integers in `step`, on val"),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Markdown page whose tables are replaced by these")
    ] = None,
    brief: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Markdown page whose short tables are replaced by these")
    ] = None,
) -> None:
    """Measures the network and the service, compared with alternatives; all suites need 20 quiet minutes.

    Examples:
        rascanet bench
        rascanet bench step stream --smoke
    """
    from model.config import VARIANTS

    wanted = _wanted(suites or [ALL])
    for name in variant or []:
        if name not in VARIANTS:
            fail(no_such("variant", name, VARIANTS))
    if beside and not (beside / ".venv").is_dir():
        fail(f"{beside} has no .venv; `make full` in that checkout makes one")
    if earlier:
        results = _loaded(earlier)
    else:
        asked = {
            "variants": tuple(variant or ()), "sustain_s": sustain_s, "pictures": pictures, "beside": beside,
            "photos": photos,
        }  # fmt: skip
        results = _measured(wanted, smoke, asked)
        if json_file:
            with failing_on(OSError):
                json_file.write_text(json.dumps(results, indent=1) + "\n")
    wanted = [name for name in wanted if name in results["suites"]]
    if earlier:
        for name in ("machine", *wanted):
            _show(results, name)
    with failing_on(OSError, PageError):
        if page:
            refresh_page(page, {f"bench {name}": _tables(results, name) for name in ("machine", *wanted)})
        if brief:
            suites_found = results["suites"]
            refresh_page(brief, {f"brief {name}": _suite(name).brief(suites_found[name]) for name in wanted})


def _wanted(named: list[str]) -> list[str]:
    for name in named:
        if name not in (*SUITES, *APART, ALL):
            fail(no_such("suite", name, (*SUITES, *APART, ALL)))
    return [name for name in (*SUITES, *APART) if (ALL in named and name in SUITES) or name in named]


def _suite(name: str) -> ModuleType:
    return importlib.import_module(f"clients.commands.bench.{name}")


def _measured(wanted: list[str], smoke: bool, asked: dict[str, Any]) -> dict[str, Any]:
    need("psutil")
    from clients.commands.bench.machine import describe_machine
    from clients.commands.bench.plan import SMOKE, Plan
    from clients.commands.bench.processes import BenchError
    from model.training.photos import PhotosError

    results: dict[str, Any] = {"format": FORMAT, "smoke": smoke, "machine": describe_machine(), "suites": {}}
    if "fleet" in wanted:
        need("simpy")
    modules = {name: _suite(name) for name in wanted}
    plan = replace(SMOKE if smoke else Plan(), **{name: value for name, value in asked.items() if value})
    _show(results, "machine")
    with failing_on(BenchError, ArithmeticError, PhotosError):
        for name, module in modules.items():
            results["suites"][name] = module.run(plan)
            _show(results, name)
    return results


def _show(results: dict[str, Any], name: str) -> None:
    for table in _tables(results, name):
        table.show(console)


def _tables(results: dict[str, Any], name: str) -> list[Any]:
    from clients.commands.bench.machine import machine_table

    if name == "machine":
        return [machine_table(results["machine"])]
    tables: list[Any] = _suite(name).tables(results["suites"][name])
    return tables


def _loaded(path: Path) -> dict[str, Any]:
    try:
        results: dict[str, Any] = json.loads(path.read_text())
        if results["format"] != FORMAT:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        fail(f"{path}: not a file of figures that `rascanet bench --json` wrote")
    return results
