import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("model", "sensor_sim", "server", "clients")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_of_a_common_name_is_ours(package: str) -> None:
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found).resolve() == ROOT / package / "__init__.py"


def test_nobody_imports_sideways_or_up() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_an_init_file_is_one_docstring(package: str) -> None:
    for path in (ROOT / package).rglob("__init__.py"):
        assert len(path.read_text().strip().splitlines()) == 1, path
