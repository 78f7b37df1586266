"""Queries of Prometheus: the metrics, labels and values that they name, held against those that a service has."""

import re
from collections.abc import Iterator
from pathlib import Path

from server.errors import REFUSALS
from server.process.metrics import Metrics

RUNNING = (Path(__file__).parents[2] / "docs" / "running.md").read_text()
OF_SCRAPES = {"job", "instance", "le"}
"""Labels that Prometheus adds, and that of a histogram's buckets."""
KINDS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def _kinds() -> dict[str, str]:
    """Kind of each metric, by the name of its family."""
    lines = re.findall(r"^# TYPE (rascanet_\w+) (\w+)$", Metrics().text().decode(), re.MULTILINE)
    return {name.removesuffix("_total"): kind for name, kind in lines if not name.endswith("_created")}


SCRAPED = {name + suffix for name, kind in _kinds().items() for suffix in KINDS[kind]}
"""The names of all series that a service gives."""


def _told(metric: str) -> str:
    """What the page of metrics says of it."""
    family = re.sub(r"_(?:bucket|sum|count)$", "", metric)
    (row,) = [line for line in RUNNING.splitlines() if line.startswith(f"| `{family}` |")]
    return row


def faults(query: str) -> Iterator[str]:
    """Yields what in a query no service has: metrics, labels, values of labels."""
    recorded = re.sub(r"\brascanet:\w+(?::\w+)?", "", query)
    for metric in re.findall(r"\brascanet_\w+", recorded):
        if metric not in SCRAPED:
            yield f"there is no metric {metric}"
    for metric, selector in re.findall(r"\b(rascanet_\w+)\{([^}]*)\}", recorded):
        for label, value in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', selector):
            if label in OF_SCRAPES or metric not in SCRAPED:
                continue
            told = _told(metric)
            if f"`{label}`" not in told:
                yield f"{metric} has no label {label}"
            for each in value.split("|"):
                if f"`{each}`" not in told and each not in REFUSALS:
                    yield f"{label} of {metric} is never {each}"
    for labels in re.findall(r"\bby \(([^)]*)\)", recorded):
        for label in labels.split(","):
            if label.strip() not in OF_SCRAPES and f"`{label.strip()}`" not in RUNNING:
                yield f"there is no label {label.strip()}"
