"""`make firmware`: frames on every board, to the bit; the sizes that tests hold it to, and the table of the page."""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clients.commands.table import Table, refresh_page
from clients.commands.train.export import FIRMWARE, device_policies
from model.certificate import certified_policy
from model.checkpoint import shipped_weights
from model.config import VARIANTS
from model.exit_policy import Policy
from model.integer.checkpoint import load_integer_checkpoint
from model.integer.network import IntegerNetwork
from tests.clients.firmware.boards import BOARDS, MISSING, Sizes, expected_lines, play
from tests.model.random_networks import random_frames

RECORDED = FIRMWARE / "board" / "sizes.json"
PAGE = Path(__file__).parents[3] / "docs" / "integer.md"


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


def main() -> None:
    """Plays, compares, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=4, help="of noise, for each variant and board")
    count = parser.parse_args().frames
    if MISSING:
        sys.exit(f"{', '.join(MISSING)}: not installed")
    found: dict[str, dict[str, dict[str, int]]] = {}
    rows = []
    for variant in VARIANTS:
        network, policies = shipped(variant)
        frames = random_frames(network.config, count, 1)
        smooth = np.repeat(np.repeat(frames[:, ::15, ::15], 15, 1), 15, 2)  # half of the frames have structure
        frames[::2] = smooth[::2, : network.config.height, : network.config.width]
        expected = expected_lines(network, policies, frames)
        for name, board in BOARDS.items():
            with TemporaryDirectory() as folder:
                played = play(board, network, policies, frames, Path(folder))
            if played.lines != expected:
                sys.exit(f"{variant} on {name}: the board says otherwise than the definition")
            sizes = played.sizes
            found.setdefault(variant, {})[name] = sizes._asdict()
            cells = (sizes.weights, sizes.tables, sizes.arena, sizes.stack, sizes.data, sizes.code)
            rows.append((variant, name, *(f"{each:,}" for each in (*cells, sizes.burst_instructions))))
            sys.stdout.write(f"{variant} on {name}: {count} frames, {len(expected)} lines, equal to the bit\n")
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")
    head = ("network", "board", "weights", "tables", "arena", "stack", "data in all", "code", "instructions a burst")
    refresh_page(PAGE, {"firmware sizes": [Table("Bytes, and instructions, in QEMU", head, rows)]})


if __name__ == "__main__":
    main()
