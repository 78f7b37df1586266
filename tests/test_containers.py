"""No container engine is at hand where tests run: the files are linted, and their steps are run as plain commands."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.commands.ports import free_port
from tests.service_process import wait_until_it_answers

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVER_BYTES = 120e6
"""Of what the server's image adds to its base."""


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


def test_compose_file_refers_to_what_exists() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)
    for service in COMPOSE["services"].values():
        assert ("image" in service) != ("build" in service)
        if "build" in service:
            assert service["build"]["target"] in stages
            assert service["read_only"]
        for volume in service.get("volumes", []):
            assert (ROOT / volume.split(":")[0]).exists()
    assert {"server", "sensor"} <= set(stages)
    assert COMPOSE["services"]["server"]["deploy"]["replicas"] > 1


def _lint(text: str) -> "subprocess.CompletedProcess[str]":
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    return subprocess.run([hadolint, "-"], input=text, capture_output=True, text=True, timeout=60, check=False)


def test_dockerfile_is_clean() -> None:
    result = _lint(DOCKERFILE)
    assert result.returncode == 0, result.stdout
    assert _lint(DOCKERFILE.replace("--no-install-recommends ", "")).returncode != 0, "the linter finds mistakes"


@pytest.mark.parametrize("source", re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE))
def test_copied_files_exist(source: str) -> None:
    assert all((ROOT / path).exists() for path in source.split())


class Images:
    """The Dockerfile's stages, carried out in a folder instead of a container."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stages: dict[str, list[str]] = {}
        for step in re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines():
            if match := re.match(r"FROM (\S+) AS (\S+)$", step):
                steps = self._stages[match[2]] = []
            elif step and not step.startswith("#"):
                steps.append(step)

    def _here(self, text: str) -> str:
        return re.sub(r"(?<![\w.])/(venv|app|page)\b", lambda match: str(self.folder / match[1]), text)

    def _environment(self, stage: str) -> dict[str, str]:
        found = {name: os.environ[name] for name in os.environ if not name.startswith(("RASCANET_", "PYTHON"))}
        for step in self._stages[stage]:
            if step.startswith("ENV "):
                for name, value in (part.split("=", 1) for part in shlex.split(step[4:])):
                    found[name] = self._here(value).replace("$PATH", os.environ["PATH"])
        found.pop("PIP_NO_CACHE_DIR", None)  # what was loaded once need not be loaded again
        return found

    def build(self, stage: str) -> None:
        """Copies and runs what the stage says; what installs Debian's packages is left out."""
        work = self.folder / "app"
        for step in self._stages[stage]:
            kind, _, rest = step.partition(" ")
            if kind == "WORKDIR":
                work = Path(self._here(rest))
                work.mkdir(parents=True, exist_ok=True)
            elif kind == "COPY" and not rest.startswith("--from"):
                *sources, target = rest.split()
                for source in sources:
                    _copy(ROOT / source, work / target / Path(source).name if target == "./" else work / target)
            elif kind == "RUN" and not rest.startswith("apt-get"):
                # the interpreter that makes the environment is the one of the base image
                command = self._here(rest).replace("python -m venv", f"{sys.executable} -m venv")
                command = re.sub(r"(^|&& )pip ", rf"\1{sys.executable} -m pip ", command)
                environment = self._environment("build")
                subprocess.run(["sh", "-c", command], cwd=work, env=environment, check=True, timeout=900)

    def start(self, stage: str, command: list[str] | None = None, **more: str) -> "subprocess.Popen[str]":
        """What the image runs, or another command in it."""
        if command is None:
            (step,) = (step for step in self._stages[stage] if step.startswith("CMD "))
            command = list(yaml.safe_load(step.removeprefix("CMD ")))
        environment = self._environment(stage) | more
        program = shutil.which(command[0], path=environment["PATH"])
        assert program
        assert program.startswith(str(self.folder))
        return subprocess.Popen(
            [program, *command[1:]], cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "node_modules", "dist")
        shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """The server's image, built."""
    images = Images(tmp_path_factory.mktemp("image"))
    images.build("build")
    images.build("server-build")
    (images.folder / "page").mkdir()
    (images.folder / "page" / "index.html").write_text("the page")
    yield images
    shutil.rmtree(images.folder)


def test_the_images(images: Images) -> None:
    """Both start as they say; the server's is small and without torch; each of the compose file's sensors streams."""
    venv = images.folder / "venv"
    added = sum(path.stat().st_size for path in venv.rglob("*") if path.is_file() and not path.is_symlink())
    added += sum(path.stat().st_size for path in (ROOT / "clients" / "browser" / "dist").rglob("*") if path.is_file())
    print(f"the server's image adds {added / 1e6:.1f} MB")
    assert added < SERVER_BYTES, f"{added / 1e6:.1f} MB"
    (packages,) = venv.glob("lib/python*/site-packages")
    assert not (packages / "torch").exists()
    assert list((packages / "model" / "weights").glob("*.safetensors"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with images.start("server", RASCANET_PORT=str(port), RASCANET_HOST="127.0.0.1") as server:
        try:
            wait_until_it_answers(url, server)
            assert urllib.request.urlopen(f"{url}/", timeout=10).read() == b"the page"  # noqa: S310 - loopback
            (check,) = re.findall(r'"-c", "(import urllib.+?)"\]', DOCKERFILE)
            with images.start("server", ["python", "-c", check.replace(":8000", f":{port}")]) as checking:
                assert checking.wait(30) == 0
            images.build("sensor-build")
            commands = [service["command"] for service in COMPOSE["services"].values() if "command" in service]
            assert len(commands) >= 2
            for command in commands:
                once = [part for part in (*command, "--url", url, "--json") if part != "--repeat"]
                with images.start("sensor", once) as sensor:
                    said, _ = sensor.communicate(timeout=120)
                assert sensor.returncode == 0, said
                assert re.search('"type": ?"report"', said)
        finally:
            server.terminate()
        assert server.wait(30) == 0
