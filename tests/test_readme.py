"""README's examples run as they stand, and print what README shows, but for the digits."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service_process import service_process

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LIMIT_S = 120


def _shape(text: str) -> str:
    """The text without the values of its digits and the width of its gaps."""
    return re.sub(r"[ ─]+", " ", re.sub(r"\d+", "0", text)).strip()


def _shown(part: str) -> str:
    (block,) = [text for _, text in BLOCKS if part in text]
    return block


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = pytest.importorskip("skimage.data", reason="the sample photographs come with the extra `samples`")
    from PIL import Image

    path = tmp_path_factory.mktemp("readme") / "photo.jpg"
    Image.fromarray(data.astronaut()).save(path, quality=95)
    return path


@pytest.mark.long
def test_the_examples_of_a_running_service(photo: Path) -> None:
    (python,) = [text for language, text in BLOCKS if language == "python"]
    curl = _shown("curl ").split()
    with service_process() as (url, _):
        ran = subprocess.run(
            [sys.executable, "-c", python.replace("http://127.0.0.1:8000", url)],
            cwd=photo.parent,
            env={"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert _shape(ran.stdout) == _shape(_shown("True 0."))
        if shutil.which("curl") is None:
            pytest.skip("there is no curl")
        curl[-1] = curl[-1].replace("http://127.0.0.1:8000", url)
        asked = subprocess.run([*curl, "-s"], cwd=photo.parent, check=True, capture_output=True, timeout=LIMIT_S)
    shown = re.search(r'`("person":.*?)`', README)
    assert shown
    assert _shape(shown[1]) in _shape(asked.stdout.decode())


@pytest.mark.long
def test_the_demo_prints_what_is_shown() -> None:
    pytest.importorskip("skimage", reason="the sample photographs come with the extra `samples`")
    command = [sys.executable, "-m", "clients.commands.main", "demo", "--once"]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=LIMIT_S)
    assert _shape(_shown("astronaut.png")) in _shape(ran.stdout)


def test_it_is_read_in_two_screens() -> None:
    assert len(README.splitlines()) < 110
