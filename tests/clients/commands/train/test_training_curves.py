from pathlib import Path

from typer.testing import CliRunner

from clients.commands.main import app


def test_curves_of_two_runs(tmp_path: Path) -> None:
    for name, values in (("short", (0.6, 0.7)), ("long", (0.5, 0.72, 0.71))):
        (tmp_path / name).mkdir()
        lines = [f"{epoch},{10 * epoch},{1280 * epoch},0.5,{value},100" for epoch, value in enumerate(values, 1)]
        (tmp_path / name / "log.csv").write_text("\n".join(("epoch,step,pictures,loss,val,rate", *lines)) + "\n")
    plot = tmp_path / "curves.svg"
    arguments = ["training-curves", str(tmp_path / "short"), str(tmp_path / "long" / "log.csv"), "--plot", str(plot)]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "long: 72.0% after 2,560 pictures, 71.0% at the end" in result.output
    assert "<svg" in plot.read_text()


def test_what_is_no_log_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    for content, words in (
        ("a,b\n1,2\n", "not the log of a training run"),
        ("epoch,step,pictures,loss,val,rate\n", "nothing in it"),
    ):
        log.write_text(content)
        result = CliRunner().invoke(app, ["training-curves", str(tmp_path), "--plot", str(tmp_path / "plot.svg")])
        assert result.exit_code == 2
        assert words in " ".join(result.output.split())
