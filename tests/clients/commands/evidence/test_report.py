"""`report` and `evaluate --compare` on a folder of generated pictures."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.html import Page
from clients.commands.main import app
from clients.commands.table import MISSING, Table
from model.certificate import certificate_beside
from model.checkpoint import load_checkpoint, save_checkpoint
from model.config import VARIANTS
from tests.model.training.folders import INDEX_HEADER
from tests.networks import random_checkpoint
from tests.server.certificates import certificate_of


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "300"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    lines = [INDEX_HEADER]
    for number in range(36):
        label = number % 2
        pixels = rng.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(pixels).resize((60, 60)).save(folder / f"{number}.png")
        boxes = f'"[[0.2, {number / 60:.2f}, 0.1, 0.3]]"' if label else "[]"
        lines.append(f"{number}.png,val,{label},{('coco', 'voc')[number // 6 % 2]},{boxes}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    weights = folder / "first.safetensors"
    save_checkpoint(random_checkpoint(VARIANTS["105x120"], 3), weights)
    certificate_of(load_checkpoint(weights)).save(certificate_beside(weights))
    save_checkpoint(random_checkpoint(VARIANTS["105x120"], 4), folder / "second.safetensors")
    return folder


class _Reader(HTMLParser):
    """Tags that are open, and where pictures and links come from."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "img":
            assert dict(attrs).get("alt")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_report_holds_everything_in_itself(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.html"
    first, second = folder / "first.safetensors", folder / "second.safetensors"
    result = _run("report", "--photos", folder, "--out", out, "--weights", first, "--weights", second)
    assert result.exit_code == 0, result.output
    text = out.read_text()
    reader = _Reader()
    reader.feed(text)
    assert reader.open == []
    assert all(source.startswith(("data:image/", "#")) for source in reader.sources)
    assert sum(source.startswith("data:image/png") for source in reader.sources) == 2 * 3
    assert any(source.startswith("data:image/jpeg") for source in reader.sources)
    words = re.sub(r"<[^>]+>", " ", text)
    for said in (
        "ask for a person on 0.5% of the picture",
        "36 pictures",
        "18 with a person + 18 without",
        load_checkpoint(first).digest,
        "Policies of 105x120 on val",
        "the chance that this promise is wrong is 5%",
        "Reliability of full frames",
        "Where frames end",
        "Taken for a person, most certain first",
        "Latest exits under calibrated",
        "Latest exits under two_sided",
        "night",
        "peak activations",
    ):
        assert said in words, said


def test_a_page_escapes_what_it_is_told() -> None:
    page = Page("a <b> & c")
    page.section("<script>")
    page.paragraph("<script>")
    page.facts([("<script>", "<script>")])
    page.table(Table("<script>", ("<script>",), [("<script>",)], ("<script>",)))
    page.photos([(np.zeros((2, 2, 3), np.uint8), '"><script>')])
    assert "<script>" not in page.text
    assert "a &lt;b&gt; &amp; c" in page.text


def test_weights_and_policies_beside_each_other(folder: Path) -> None:
    result = _run(
        "evaluate",
        "--photos",
        folder,
        "--weights",
        folder / "first.safetensors",
        "--weights",
        folder / "second.safetensors",
        "--policy",
        "never",
        "--compare",
        "calibrated",
        "--compare",
        '{"name": "fixed_row", "share": 0.5}',
    )
    assert result.exit_code == 0, result.output
    frames, beside = result.output.split("one beside the other")[1:]
    assert re.search(r"^first +0.*\nsecond +0", frames, re.M), "whole frames first"

    def row(of: str) -> list[str]:
        (line,) = [line.strip() for line in beside.splitlines() if line.strip().startswith(f"{of} ")]
        return re.split(r"   +", line.removeprefix(of).strip())

    assert row("weights") == ["first", "second", "first", "first"]
    assert row("policy") == ["never", "never", "calibrated", "fixed_row"]
    assert row("processed: all / person / no")[3] == "0.524 / 0.524 / 0.524"
    assert row("McNemar's p")[0] == MISSING
    assert all(re.fullmatch(r"[\d.e-]+", value) for value in row("McNemar's p")[1:])
    assert "average precision" in result.output


def test_weights_of_the_same_name_are_told_apart_by_their_folders(folder: Path, tmp_path: Path) -> None:
    options: list[str | Path] = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        options += ["--weights", shutil.copy(folder / f"{name}.safetensors", tmp_path / name / "weights.safetensors")]
    result = _run("evaluate", "--photos", folder, *options)
    assert result.exit_code == 0, result.output
    assert "first/weights" in result.output
    assert "second/weights" in result.output


def test_what_cannot_be_compared_is_told_in_a_line(folder: Path) -> None:
    for option, other, words in (
        ("--compare", "sometimes", "there is no policy 'sometimes'"),
        ("--compare", "{", "Expecting property name"),
        ("--compare", "none.safetensors", "there is no policy 'none.safetensors'"),
        ("--weights", "none.safetensors", "none.safetensors: no such file"),
    ):
        result = _run("evaluate", "--photos", folder, "--weights", folder / "first.safetensors", option, other)
        assert result.exit_code == 2, result.output
        assert words in result.output
