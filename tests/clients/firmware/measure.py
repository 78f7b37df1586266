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

from clients.commands.table import Table, refresh_page
from clients.commands.train.export import FIRMWARE, KERNEL_FILES, device_policies
from model.certificate import certified_policy
from model.checkpoint import shipped_weights
from model.config import VARIANTS
from model.exit_policy import Policy
from model.integer.checkpoint import load_integer_checkpoint
from model.integer.network import IntegerNetwork
from tests.clients.firmware.boards import BOARDS, FLAGS, MISSING, Program, Sizes, build, expected_lines, play
from tests.golden import ORACLE, golden_integers
from tests.model.random_networks import half_coarse_frames
from tests.server.certificates import promised_policy

RECORDED = FIRMWARE / "board" / "sizes.json"
KERNEL = Path(__file__).parents[3] / "model" / "kernel"
PAGE = Path(__file__).parents[3] / "docs" / "integer.md"
DONE: Final = Path("build") / "firmware-played.json"
COUNTED: Final = 4
"""Frames that a board plays first, under every policy, its instructions counted; others are played to their ends."""
PART: Final = 28
"""Frames that a board plays at a time after these."""


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
        any_thresholds = promised_policy(0.9, 0.6, 1.1, 0.5, certificate="0" * 64)
        policies = device_policies() | {any_thresholds.name: any_thresholds}
        found += [Subject("golden random", golden_integers(variant), policies) for variant in VARIANTS]
    return found


@cache
def _digest_of_sources() -> str:
    """Of what the program is built of, and how, weights apart."""
    digest = hashlib.sha256(repr((FLAGS, BOARDS)).encode())
    library = (*FIRMWARE.rglob("*.[ch]"), *FIRMWARE.rglob("*.ld"), *(KERNEL / name for name in KERNEL_FILES))
    for file in sorted(library):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Part(NamedTuple):
    """Some frames of a subject, on a board."""

    subject: Subject
    board: str
    start: int
    frames: int

    @property
    def decided(self) -> int:
        """Frames that are played under every policy."""
        return 0 if self.start else self.frames

    @property
    def key(self) -> str:
        """Names what is played: another program or other numbers have another."""
        digests = f"{_digest_of_sources()[:16]} {self.subject.network.digest[:16]}"
        return f"{digests} {self.board} {self.start} {self.frames}"


def parts(frames: int, chosen: Sequence[Subject]) -> Iterator[Part]:
    """Every subject on every board, some frames at a time: what is cut short has played some of each."""
    starts = [0, *range(COUNTED, frames, PART)]
    for start, end in zip(starts, [*starts[1:], frames], strict=True):
        for subject in chosen:
            for board in BOARDS:
                yield Part(subject, board, start, end - start)


def main() -> None:
    """Plays what has not been played yet, compares, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--frames", type=int, default=COUNTED, help="of noise, half of it coarse, for each network and board"
    )
    count = parser.parse_args().frames
    if MISSING:
        sys.exit(f"{', '.join(MISSING)}: not installed")
    done: dict[str, dict[str, int]] = json.loads(DONE.read_text()) if DONE.is_file() else {}
    measured: dict[tuple[str, str], Sizes] = {}
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for part in parts(count, subjects()):
            variant = part.subject.network.config.name
            if part.key not in done:
                done[part.key] = bench.sizes(part)._asdict()
                DONE.parent.mkdir(exist_ok=True)
                DONE.write_text(json.dumps(done, indent=1) + "\n")
            if part.subject.weights == "shipped":
                sizes = Sizes(**done[part.key])
                first = measured.setdefault((variant, part.board), sizes)
                measured[variant, part.board] = first._replace(stack=max(first.stack, sizes.stack))
            told = f"frames {part.start + 1} to {part.start + part.frames}, equal to the bit"
            sys.stdout.write(f"{variant}, {part.subject.weights} weights, on {part.board}: {told}\n")
            sys.stdout.flush()
    _record(measured)


class Bench:
    """Plays parts; remembers programs, and what the definition says to the last frames, which every board plays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs: dict[tuple[str, str], Program] = {}
        self._expected: tuple[object, list[str]] = (None, [])

    def sizes(self, part: Part) -> Sizes:
        """The sizes of a part.

        Raises:
            SystemExit: the board says otherwise than the definition.
        """
        network, policies = part.subject.network, part.subject.policies
        frames = half_coarse_frames(network.config, part.frames, part.start)
        asked = (network.digest, part.start, part.frames)
        if self._expected[0] != asked:
            self._expected = asked, expected_lines(network, policies, frames, part.decided)
        played = play(self._program(part), frames, part.decided, counted=not part.start)
        if played.lines != self._expected[1]:
            sys.exit(
                f"{network.config.name}, {part.subject.weights} weights, {part.board}: "
                "the board says otherwise than the definition"
            )
        return played.sizes

    def _program(self, part: Part) -> Program:
        subject, place = part.subject, (part.subject.network.digest, part.board)
        if place not in self._programs:
            folder = self._folder / str(len(self._programs))
            self._programs[place] = build(BOARDS[part.board], subject.network, subject.policies, folder)
        return self._programs[place]


def _record(sizes: dict[tuple[str, str], Sizes]) -> None:
    """Writes the sizes of the shipped networks and the page's table."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    rows = []
    for (variant, board), one in sizes.items():
        found.setdefault(variant, {})[board] = one._asdict()
        cells = (one.weights, one.tables, one.arena, one.stack, one.data, one.code, one.burst_instructions)
        rows.append((variant, board, *(f"{cell:,}" for cell in cells)))
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")
    head = ("network", "board", "weights", "tables", "arena", "stack", "data in all", "code", "instructions a burst")
    refresh_page(PAGE, {"firmware sizes": [Table("Bytes, and instructions, in QEMU", head, rows)]})


if __name__ == "__main__":
    main()
