import shutil
from pathlib import Path

from typer.testing import CliRunner

from clients.commands.console import CANNOT
from clients.commands.main import app
from model.budget import budget, layers
from model.config import VARIANTS

PAGE = Path(__file__).parents[4] / "docs" / "network.md"


def test_the_page_of_the_network_has_what_the_command_prints(tmp_path: Path) -> None:
    page = tmp_path / PAGE.name
    shutil.copy(PAGE, page)
    ran = CliRunner().invoke(app, ["budget", "--layers", "--page", str(page)])
    assert ran.exit_code == 0, ran.output
    assert page.read_text() == PAGE.read_text()
    for config in VARIANTS.values():
        assert f"{max(layer.activations for layer in layers(config)):,}" in ran.output


def test_a_page_without_marks_is_refused_in_a_sentence(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    ran = CliRunner().invoke(app, ["budget", "--page", str(page)])
    assert ran.exit_code == CANNOT
    assert "marks" in ran.output
    assert page.read_text() == "nothing\n"


def test_layers_name_what_the_two_heads_share_once() -> None:
    output = CliRunner().invoke(app, ["budget", "--layers"]).output
    assert output.count("each head, block 4: 1x3 convolution") == len(VARIANTS)
    assert "head 2" not in output
    small = next(iter(VARIANTS.values()))
    assert sum(layer.macs for layer in layers(small)) == budget(small).macs_per_burst
