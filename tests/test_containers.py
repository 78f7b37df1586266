"""No container engine is at hand where tests run: the files are checked against what they refer to."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def _compose_check(path: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_compose_file_follows_the_compose_specification() -> None:
    result = _compose_check(ROOT / "docker-compose.yml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_check_finds_mistakes(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text("services: {server: {build: ., portz: [8000]}}\n")
    assert _compose_check(wrong).returncode != 0


@pytest.mark.parametrize("source", re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE))
def test_copied_files_exist(source: str) -> None:
    assert all((ROOT / path).exists() for path in source.split())


def test_commands_of_the_containers_exist() -> None:
    commands = re.findall(r'\["rascanet", "(\w+)", (.+)\]', DOCKERFILE + (ROOT / "docker-compose.yml").read_text())
    assert [name for name, _ in commands] == ["serve", "stream", "stream"]
    for name, arguments in commands:
        result = subprocess.run(
            [sys.executable, "-m", "clients.commands.main", name, "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
        )
        for option in re.findall(r'"(--[a-z-]+)"', arguments):
            assert option in result.stdout
