"""`make firmware`: frames on every board, to the bit; the sizes that tests hold it to, and the table of the page."""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import numpy as np

from clients.commands.table import Table, refresh_page
from clients.commands.train.export import FIRMWARE, device_policies
from model.certificate import certified_policy
from model.checkpoint import shipped_weights
from model.config import VARIANTS
from model.exit_policy import CalibratedPolicy, Policy
from model.integer.checkpoint import load_integer_checkpoint
from model.integer.network import IntegerNetwork
from tests.clients.firmware.boards import BOARDS, MISSING, Sizes, expected_lines, play
from tests.golden import ORACLE, golden_integers
from tests.model.random_networks import half_coarse_frames

RECORDED = FIRMWARE / "board" / "sizes.json"
KERNEL = Path(__file__).parents[3] / "model" / "kernel"
PAGE = Path(__file__).parents[3] / "docs" / "integer.md"
DONE: Final = Path("build") / "firmware-played.json"
PART: Final = 4
"""Frames that a board plays at a time."""


class Subject(NamedTuple):
    """Weights in integers, with every policy that they have on a device."""

    weights: str
    network: IntegerNetwork
    policies: dict[str, Policy]


def shipped(variant: str) -> tuple[IntegerNetwork, dict[str, Policy]]:
    """The network that comes with the project, and every policy that it has on a device."""
    file = shipped_weights(variant, "int8")
    network = load_integer_checkpoint(file)
    certified = certified_policy(file, network.digest)
    assert certified is not None
    return network, device_policies() | {certified.name: certified}


def recorded(variant: str, board: str) -> Sizes:
    """The sizes that were measured last."""
    return Sizes(**json.loads(RECORDED.read_text())[variant][board])


def subjects() -> list[Subject]:
    """The shipped networks, and those of the golden random weights where these are."""
    found = [Subject("shipped", *shipped(variant)) for variant in VARIANTS]
    if ORACLE.is_dir():
        any_thresholds = CalibratedPolicy(0.9, 0.6, 1.1, 0.5, risk=0.05, delta=0.05, certificate="0" * 64)
        policies = device_policies() | {any_thresholds.name: any_thresholds}
        found += [Subject("golden random", golden_integers(variant), policies) for variant in VARIANTS]
    return found


@cache
def _digest_of_sources() -> str:
    """Of what the program is built of, weights apart."""
    digest = hashlib.sha256()
    for file in sorted((*FIRMWARE.rglob("*.[ch]"), *FIRMWARE.rglob("*.ld"), *KERNEL.glob("integer*"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Part(NamedTuple):
    """Some frames of a subject, on a board."""

    subject: Subject
    board: str
    start: int
    frames: int

    @property
    def key(self) -> str:
        """Names what is played: another program or other numbers have another."""
        digests = f"{_digest_of_sources()[:16]} {self.subject.network.digest[:16]}"
        return f"{digests} {self.board} {self.start} {self.frames}"


def parts(frames: int, chosen: Sequence[Subject]) -> Iterator[Part]:
    """Every subject on every board, a few frames at a time: what is cut short has played some of each."""
    for start in range(0, frames, PART):
        for subject in chosen:
            for board in BOARDS:
                yield Part(subject, board, start, min(PART, frames - start))


def main() -> None:
    """Plays what has not been played yet, compares, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=4, help="of noise, half of it coarse, for each network and board")
    count = parser.parse_args().frames
    if MISSING:
        sys.exit(f"{', '.join(MISSING)}: not installed")
    done: dict[str, dict[str, int]] = json.loads(DONE.read_text()) if DONE.is_file() else {}
    expected: tuple[object, list[str]] = (None, [])
    sizes: dict[tuple[str, str, str], list[Sizes]] = {}
    for part in parts(count, subjects()):
        subject, variant = part.subject, part.subject.network.config.name
        if part.key not in done:
            frames = half_coarse_frames(subject.network.config, part.frames, part.start)
            if expected[0] != (subject.network.digest, part.start, part.frames):
                lines = expected_lines(subject.network, subject.policies, frames)
                expected = (subject.network.digest, part.start, part.frames), lines
            with TemporaryDirectory() as folder:
                played = play(BOARDS[part.board], subject.network, subject.policies, frames, Path(folder))
            if played.lines != expected[1]:
                sys.exit(
                    f"{variant}, {subject.weights} weights, {part.board}: the board says otherwise than the definition"
                )
            done[part.key] = played.sizes._asdict()
            DONE.parent.mkdir(exist_ok=True)
            DONE.write_text(json.dumps(done, indent=1) + "\n")
        sizes.setdefault((subject.weights, variant, part.board), []).append(Sizes(**done[part.key]))
        told = f"frames {part.start + 1} to {part.start + part.frames}, equal to the bit"
        sys.stdout.write(f"{variant}, {subject.weights} weights, on {part.board}: {told}\n")
        sys.stdout.flush()
    _record({(variant, board): found for (weights, variant, board), found in sizes.items() if weights == "shipped"})


def _record(sizes: dict[tuple[str, str], list[Sizes]]) -> None:
    """Writes the sizes of the shipped networks and the page's table."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    rows = []
    for (variant, board), each in sizes.items():
        bursts = round(float(np.mean([one.burst_instructions for one in each])))
        most = each[0]._replace(stack=max(one.stack for one in each), burst_instructions=bursts)
        found.setdefault(variant, {})[board] = most._asdict()
        cells = (most.weights, most.tables, most.arena, most.stack, most.data, most.code, most.burst_instructions)
        rows.append((variant, board, *(f"{cell:,}" for cell in cells)))
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")
    head = ("network", "board", "weights", "tables", "arena", "stack", "data in all", "code", "instructions a burst")
    refresh_page(PAGE, {"firmware sizes": [Table("Bytes, and instructions, in QEMU", head, rows)]})


if __name__ == "__main__":
    main()
