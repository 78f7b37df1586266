from pathlib import Path

import pytest

from clients.commands.outputs import check_outputs, naming, whole_text


def test_what_was_there_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("of yesterday")

    def write(text: str, error: Exception | None = None) -> None:
        with whole_text(path) as file:
            file.write(text)
            if error:
                raise error

    with pytest.raises(RuntimeError):
        write("half", RuntimeError())
    assert path.read_text() == "of yesterday"
    write("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_without_a_name_gets_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"a\.txt") as full, naming(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    assert full.value.errno == 28
    with pytest.raises(BrokenPipeError), naming(tmp_path / "a.txt"):
        raise BrokenPipeError(32, "Broken pipe")


def test_outputs_are_checked_before_anything_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_text("x")
    check_outputs(overwrite=False, out=new, report=None)
    check_outputs(overwrite=True, out=there)
    check_outputs(overwrite=False, resumed=there, out=there)
    for files in ({"out": there}, {"out": tmp_path}, {"out": new, "report": tmp_path / "." / "new"}):
        with pytest.raises(SystemExit) as ended:
            check_outputs(overwrite=False, **files)
        assert ended.value.code == 2
    assert capsys.readouterr().err.count("rascanet: ") == 3
