"""The library under an operating system: this machine's, and on 64-bit ARM in QEMU, where plain C is what runs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clients.commands.train.export import FIRMWARE, write_library
from model.config import VARIANTS
from model.exit_policy import NeverExitPolicy, PublishedPolicy
from tests.clients.firmware.boards import expected_lines
from tests.clients.firmware.measure import shipped
from tests.model.random_networks import half_coarse_frames

HOSTS = {
    "this machine": (os.environ.get("CC", "cc"), ()),
    "64-bit ARM": ("aarch64-linux-gnu-gcc", ("qemu-aarch64",)),
}
"""Compiler, and emulator."""

EXAMPLES = {
    "the header's": (FIRMWARE / "src" / "rascanet.h", r"\n(       static uint32_t arena.*?)\n\n"),
    "the documentation's": (FIRMWARE.parents[1] / "docs" / "integer.md", r"\n(    static uint32_t arena.*?)\n\n"),
}
AROUND = """\
#include <rascanet.h>
#include <rascanet_105x120.h>
static void read_row(uint8_t *to) {{ for (int i = 0; i < 360; i++) to[i] = 0; }}
int main(void) {{
{example}
    return !decision.decided || decision.skipped == 0;
}}
"""
"""Fails where the frame is not decided, or no burst was skipped."""


@pytest.mark.skipif(shutil.which(HOSTS["this machine"][0]) is None, reason="there is no C compiler here")
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_go_on_to_the_decision_where_bursts_are_skipped(example: str, tmp_path: Path) -> None:
    page, place = EXAMPLES[example]
    found = re.search(place, page.read_text(), re.DOTALL)
    assert found is not None
    network, _ = shipped("105x120")
    skips = PublishedPolicy(exit_threshold=0.9999, skip_threshold=0.999)
    library, program = tmp_path / "library", tmp_path / "example"
    write_library(library, network, {"published": skips, "calibrated": skips})
    (tmp_path / "example.c").write_text(AROUND.format(example=found[1]))
    sources = [tmp_path / "example.c", *sorted((library / "src").glob("*.c"))]
    compiler, _ = HOSTS["this machine"]
    subprocess.run(
        [compiler, "-std=gnu11", f"-I{library / 'src'}", *map(str, sources), "-o", str(program)],
        check=True,
        timeout=120,
    )
    assert subprocess.run([str(program)], timeout=120, check=False).returncode == 0


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
