"""Suite `browser`: one burst on the kernel in WebAssembly beside onnxruntime-web, in a headless Chromium.

The measuring is that of the page `clients/browser-bench`, which everybody can open in a browser of their own.
"""

import json
import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np

from clients.commands.bench.plan import Plan
from clients.commands.bench.subjects import checkpoint_of
from clients.commands.bench.timing import Spread
from clients.commands.table import MISSING, Table, number, percent, ratio

PAGE: Final = Path(__file__).parents[2] / "browser-bench" / "dist"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
FORMS: Final = ("conv", "gemm")
AGREEMENT: Final = 1e-3
"""Largest difference of logits that float contenders may show."""
LIMIT_S: Final = 600


def missing() -> str | None:
    """The first thing that the suite needs and doesn't find."""
    if not any(map(shutil.which, BROWSERS)):
        return f"{BROWSERS[0]} is not installed"
    if not (PAGE / "index.html").is_file():
        return "the page is not built (`make browser-bench`)"
    return None


def run(plan: Plan) -> dict[str, Any]:
    """Has the page measure each variant; without a browser or a page, says so."""
    if reason := missing():
        return {"missing": reason}
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder)) as address:
        _export(plan, Path(folder))
        report = _measured(plan, address)
    for measured in report["variants"]:
        _check(measured)
    return report


def _export(plan: Plan, folder: Path) -> None:
    """The step as the other runtime takes it, with names that the page knows."""
    from model.export import export_step

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        for variant in plan.variants:
            for form in FORMS:
                export_step(checkpoint_of(variant), folder / f"{variant}-{form}.onnx", form=form)


class _Files(SimpleHTTPRequestHandler):
    """The page, with exported steps from another folder, kept in no cache: each load is the first."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, exported: Path, *arguments: Any) -> None:
        self._exported = exported
        super().__init__(*arguments, directory=str(PAGE))

    def translate_path(self, path: str) -> str:
        found = Path(super().translate_path(path))
        return str(self._exported / found.name) if found.parent.name == "onnx" else str(found)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def _serving(exported: Path) -> Iterator[str]:
    """The page on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, exported))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _measured(plan: Plan, address: str) -> dict[str, Any]:
    """Findings of the page.

    Raises:
        ArithmeticError: it found nothing; the message is the page's.
    """
    from playwright.sync_api import sync_playwright

    asked = [("variant", variant) for variant in plan.variants]
    counts = {"loads": plan.browser_loads, "rounds": plan.rounds, "turn": round(plan.turn_s * 1000)}
    program = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            page = browser.new_page()
            page.goto(f"{address}?{urlencode([*asked, *counts.items()])}")
            page.click("#start")
            page.wait_for_selector("#tables[data-report], body[data-failed]", state="attached", timeout=LIMIT_S * 1000)
            said = page.locator("#tables").get_attribute("data-report")
            if said is None:
                raise ArithmeticError(page.locator("#status").inner_text())
            report: dict[str, Any] = json.loads(said)
            return report | {"browser": browser.version}
        finally:
            browser.close()


def _check(measured: dict[str, Any]) -> None:
    """Sets `difference` of each float contender.

    Raises:
        ArithmeticError: one of them computes something else.
    """
    floats = [row for row in measured["contenders"] if "int8" not in row["name"] and "missing" not in row]
    for row in floats:
        row["difference"] = float(np.abs(np.subtract(row["logits"], floats[0]["logits"])).max())
        if not row["difference"] <= AGREEMENT:
            raise ArithmeticError(
                f"{row['name']} disagrees with {floats[0]['name']}: logits differ by {row['difference']}"
            )


def tables(result: dict[str, Any]) -> list[Table]:
    """One table for each variant."""
    if "missing" in result:
        return [Table("Step in a browser", ("what", "why"), [("not measured", result["missing"])])]
    return [_table(measured, result["browser"]) for measured in result["variants"]]


def _table(measured: dict[str, Any], browser: str) -> Table:
    rows = [row for row in measured["contenders"] if "missing" not in row]
    others = [row for row in rows if not row["ours"]]
    other = min(others, key=lambda row: float(np.median(row["usPerBurst"]))) if others else None
    lines = [_line(row, other) for row in rows]
    lines += [(row["name"], row["missing"], *[MISSING] * 5) for row in measured["contenders"] if "missing" in row]
    headings = (
        "one worker, one thread", "median\nus", "times as fast as\nthe fastest baseline", "load\nms",
        "share of the\nbaseline's load", "kB\nfetched", "logits\ndiffer",
    )  # fmt: skip
    note = (
        f"Chromium {browser}; a load is fetch over loopback, compilation, weights and the first step, "
        "in a new worker that is alone, without caches."
    )
    return Table(f"Step of {measured['variant']} in a browser, one stream", headings, lines, [note])


def _line(row: dict[str, Any], other: dict[str, Any] | None) -> tuple[str, ...]:
    load = float(np.median(row["loadMs"]))
    against: dict[str, Any] = {}
    if other is not None:
        pairs = zip(row["usPerBurst"], other["usPerBurst"], strict=True)
        against["other"] = asdict(Spread.of(theirs / ours for ours, theirs in pairs))
    return (
        row["name"],
        number(float(np.median(row["usPerBurst"]))),
        ratio({"against": against}, "other"),
        number(load),
        percent(None if other is None else load / float(np.median(other["loadMs"]))),
        number(row["bytes"] / 1000),
        f"{row['difference']:.0e}" if "difference" in row else MISSING,
    )


brief = tables
