from pathlib import Path

import pytest

from tests.model.training.folders import write_twelve


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_twelve(tmp_path_factory.mktemp("photos"))
