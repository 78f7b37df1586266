import subprocess
from pathlib import Path

import pytest

from clients.commands.outputs import PROJECT, PROJECT_FOLDERS, check_outputs, is_of_project, naming, whole_text
from model.certificate import certificate_beside
from model.checkpoint import shipped_weights


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
    check_outputs(overwrite=False, resumed=[there], out=there)
    for out, report in ((there, None), (tmp_path, None), (new, tmp_path / "." / "new")):
        with pytest.raises(SystemExit) as ended:
            check_outputs(overwrite=False, out=out, report=report)
        assert ended.value.code == 2
    assert capsys.readouterr().err.count("rascanet: ") == 3


def test_no_message_advises_to_replace_a_file_of_the_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "mine.json"
    link.symlink_to(certificate_beside(shipped_weights("105x120")))
    for path in (link, shipped_weights("105x120", "int8"), PROJECT / "docs" / "commands.md"):
        for resumable in (False, True):
            with pytest.raises(SystemExit):
                check_outputs(overwrite=False, resumable=resumable, out=path)
            told = capsys.readouterr().err
            assert f"{path}: comes with the project; name a file of your own with --out" in told
            assert "overwrite" not in told
            assert "resume" not in told


def test_the_folders_of_the_project_are_those_that_git_knows() -> None:
    if not (PROJECT / ".git").exists():
        pytest.skip("not a checkout of git")
    listed = subprocess.run(("git", "ls-files"), cwd=PROJECT, capture_output=True, text=True, check=True)
    assert {name.partition("/")[0] for name in listed.stdout.splitlines() if "/" in name} == set(PROJECT_FOLDERS)
    assert not is_of_project(PROJECT / "mine" / "w.certificate.json")
