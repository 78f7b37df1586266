"""The library under an operating system: this machine's, and on 64-bit ARM in QEMU, where plain C is what runs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clients.commands.train.export import FIRMWARE, write_library
from model.config import VARIANTS
from model.exit_policy import NeverExitPolicy
from tests.clients.firmware.boards import expected_lines
from tests.clients.firmware.measure import shipped
from tests.model.random_networks import half_coarse_frames

HOSTS = {
    "this machine": (os.environ.get("CC", "cc"), ()),
    "64-bit ARM": ("aarch64-linux-gnu-gcc", ("qemu-aarch64",)),
}
"""Compiler, and emulator."""


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_library_says_what_the_definition_says(host: str, variant: str, tmp_path: Path) -> None:
    compiler, emulator = HOSTS[host]
    if missing := [each for each in (compiler, *emulator) if shutil.which(each) is None]:
        pytest.skip(f"{', '.join(missing)}: not installed (`make boards`)")
    network, _ = shipped(variant)
    frames = half_coarse_frames(network.config, 2, 3)
    library, program = tmp_path / "library", tmp_path / "play"
    write_library(library, network, {"never": NeverExitPolicy()})
    frames.tofile(tmp_path / "frames.bin")
    sources = [Path(__file__).with_name("play_on_host.c"), *sorted((library / "src").glob("*.c"))]
    subprocess.run(
        [compiler, "-std=gnu11", "-O2", "-static", "-Wall", "-Wextra", "-Werror", f"-DMODEL=rascanet_{variant}",
         f"-I{library / 'src'}", f"-I{FIRMWARE / 'board'}", *map(str, sources), "-o", str(program)],
        check=True,
        timeout=120,
    )  # fmt: skip
    played = subprocess.run(
        [*emulator, str(program)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert played.stdout.splitlines() == expected_lines(network, {}, frames, 0)
