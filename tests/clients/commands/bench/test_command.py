import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clients.commands.bench.browser import missing
from clients.commands.bench.command import ALL, SUITES
from clients.commands.bench.load import Measured

MARKS = "\n".join(f"<!-- bench {name} -->\nold\n<!-- end {name} -->" for name in ("machine", *SUITES))


def _bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.commands.main", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Every suite with tiny counts, and the pages that it refreshed."""
    folder = tmp_path_factory.mktemp("bench")
    page, brief, found = folder / "page.md", folder / "brief.md", folder / "bench.json"
    page.write_text(MARKS)
    brief.write_text(MARKS.replace("bench", "brief"))
    done = _bench(ALL, "--smoke", "--json", found, "--page", page, "--brief", brief)
    assert done.returncode == 0, done.stdout + done.stderr
    return page, json.loads(found.read_text())


def test_every_suite_runs_and_says_where(figures: tuple[Path, dict[str, Any]]) -> None:
    _, found = figures
    assert list(found["suites"]) == list(SUITES)
    assert found["smoke"]
    assert found["machine"]


def test_the_network_is_the_same_on_every_runtime_measured(figures: tuple[Path, dict[str, Any]]) -> None:
    page, _ = figures
    text = page.read_text()
    assert "\nold\n" not in text
    assert all(name in text for name in ("torch eager", "ONNX Runtime", "OpenVINO", "native"))
    assert text.count("no --photos") >= 3  # ours and both others' in integers
    assert missing() or all(name in text for name in ("ours, int8, SIMD", "onnxruntime-web, gemm form"))


def test_the_short_tables_have_rows_of_the_long_ones(figures: tuple[Path, dict[str, Any]]) -> None:
    page, _ = figures
    long, short = page.read_text(), page.with_name("brief.md").read_text()
    for name in SUITES:
        block = short.partition(f"<!-- brief {name} -->")[2].partition("<!-- end")[0]
        for table in re.split(r"^\*\*", block, flags=re.MULTILINE)[1:]:
            rows = [line for line in table.splitlines() if line.startswith("| ")]
            assert len(rows) > 2, f"{name}: headings, a line and rows of {table}"
            for row in rows[2:]:
                assert f"\n{row.partition(' | ')[0]} | " in long


def test_figures_of_an_earlier_run_can_be_shown_again(figures: tuple[Path, dict[str, Any]]) -> None:
    page, _ = figures
    before = page.read_text()
    done = _bench("--from", page.with_name("bench.json"), "--page", page)
    assert done.returncode == 0, done.stderr
    assert page.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("walk",), "there is no suite 'walk'"),
        (("step", "--variant", "5x16"), "there is no variant '5x16'"),
        (("--from", "missing.json"), "not a file of figures"),
        (("step", "--smoke", "--photos", "nowhere"), "expected a folder of photographs with an index"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: tuple[str, ...], complaint: str) -> None:
    done = _bench(*arguments)
    assert done.returncode != 0
    assert complaint in " ".join((done.stdout + done.stderr).split())


def test_a_service_that_falls_behind_has_not_kept_up() -> None:
    def measured(bursts: int, held_back: int = 0, busy: float = 0.5) -> Measured:
        return Measured(1, bursts, bursts, 1000, (1, 2, 3), 3, held_back, 4, 0, busy, 1, 1)

    assert measured(1000).kept_up
    assert measured(992).kept_up  # 0.5 % and what is under way
    assert not measured(990).kept_up
    assert measured(1000, held_back=5).kept_up
    assert not measured(1000, held_back=6).kept_up
    assert measured(1000, busy=0.85).void
    assert not measured(1000, busy=0.84).void
