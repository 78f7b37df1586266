"""Boards of QEMU's: builds the firmware for one, plays frames on it, reads what it prints."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clients.commands.train.export import FIRMWARE, write_library
from model.exit_policy import Policy
from model.integer.network import IntegerNetwork
from model.kernel.native_integer import IntegerRuntime
from model.scan import scan_frame

COMPILER: Final = "arm-none-eabi-gcc"
EMULATOR: Final = "qemu-system-arm"
MISSING: Final = [each for each in (COMPILER, EMULATOR) if shutil.which(each) is None]
LIMIT_S: Final = 600

FLAGS: Final = (
    *("-std=gnu11", "-O2", "-mthumb", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib"),
    # Loops stay loops: there is no memset to call.
    *("-fno-tree-loop-distribute-patterns", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"),
)


@dataclass(frozen=True)
class Board:
    """One of QEMU's machines.

    Attributes:
        core: what the compiler is told.
        flash, ram: where its program and its data begin.
        shift: `-icount`: an instruction takes 2 to this power nanoseconds of virtual time.
        clock_hz: of the timer that is read.
        defines: of the program.
    """

    machine: str
    core: tuple[str, ...]
    flash: int
    ram: int
    shift: int
    clock_hz: float
    defines: tuple[str, ...] = ()

    @property
    def ticks_per_instruction(self) -> float:
        """Of the timer."""
        return float(2**self.shift) * 1e-9 * self.clock_hz


BOARDS: Final = {
    "Cortex-M4": Board("mps2-an386", ("-mcpu=cortex-m4", "-mfloat-abi=soft"), 0, 0x20000000, 10, 25e6),
    "Cortex-M7": Board("mps2-an500", ("-mcpu=cortex-m7", "-mfloat-abi=soft"), 0, 0x20000000, 10, 25e6),
    "Cortex-M55": Board(
        "mps3-an547", ("-mcpu=cortex-m55", "-mfloat-abi=hard"), 0x10000000, 0x30000000, 6, 32e6, ("-DSYSTICK",)
    ),
}


class Sizes(NamedTuple):
    """What the firmware takes, in bytes, and how long, in instructions.

    Attributes:
        weights: weights, biases, multipliers, shifts.
        tables: the sigmoid's table, the description of the network, one policy.
        code: the library's functions.
        arena: all that the library keeps, state and rows included.
        stack: as far as a call of the library wrote.
        burst_instructions: of a burst, the mean.
    """

    weights: int
    tables: int
    code: int
    arena: int
    stack: int
    burst_instructions: int

    @property
    def data(self) -> int:
        """Data memory in all: what is read and what is written, without code."""
        return self.weights + self.tables + self.arena + self.stack


class Program(NamedTuple):
    """The firmware with a network and policies, built for a board.

    Attributes:
        weights, tables, code: of `Sizes`.
    """

    board: Board
    path: Path
    weights: int
    tables: int
    code: int


class Played(NamedTuple):
    """What a board printed: lines without their ticks, and its sizes."""

    lines: list[str]
    sizes: Sizes


def build(board: Board, network: IntegerNetwork, policies: Mapping[str, Policy], folder: Path) -> Program:
    """The firmware, with policies by their names in C; in an empty folder.

    Raises:
        CalledProcessError: it can't be built.
    """
    library, program = folder / "library", folder / "play.elf"
    write_library(library, network, policies)
    config = network.config
    sources = [FIRMWARE / "board" / "play.c", *sorted((library / "src").glob("*.c"))]
    places = f"-Wl,--defsym=FLASH={board.flash:#x},--defsym=RAM={board.ram:#x}"
    model = (f"-DMODEL=rascanet_{config.name}", f"-DMODEL_ROWS={config.height}")
    subprocess.run(
        [COMPILER, *FLAGS, *board.core, *board.defines, *model, f"-I{library / 'src'}", *map(str, sources), "-T",
         str(FIRMWARE / "board" / "board.ld"), places, "-lgcc", "-o", str(program)],
        check=True,
        timeout=LIMIT_S,
    )  # fmt: skip
    return Program(board, program, *_linked(program, config.name))


def play(program: Program, frames: npt.NDArray[np.uint8], decided: int, *, counted: bool = True) -> Played:
    """Frames (N, H, W, 3) on a board to their ends, the first `decided` of them under every policy too.

    Args:
        program, frames, decided: what is played.
        counted: whether instructions are counted; without, QEMU is faster, and `burst_instructions` is 0.

    Raises:
        CalledProcessError: the firmware doesn't end.
    """
    board, folder = program.board, program.path.parent
    frames.tofile(folder / "frames.bin")
    frames[:decided].tofile(folder / "policies.bin")
    clock = ("-icount", f"shift={board.shift}") if counted else ()
    done = subprocess.run(
        [EMULATOR, "-M", board.machine, "-nographic", "-monitor", "none", "-serial", "none", "-semihosting", *clock,
         "-kernel", str(program.path)],
        cwd=folder, capture_output=True, text=True, check=True, timeout=LIMIT_S,
    )  # fmt: skip
    *lines, memory = (done.stdout + done.stderr).splitlines()
    ticks = [int(line.rpartition(" ")[-1]) for line in lines if line.startswith("burst")]
    instructions = round(float(np.mean(ticks)) / board.ticks_per_instruction) if counted else 0
    arena, stack = map(int, memory.removeprefix("memory").split())
    sizes = Sizes(program.weights, program.tables, program.code, arena, stack, instructions)
    return Played([line.rpartition(" ")[0] if line.startswith("burst") else line for line in lines], sizes)


def _linked(program: Path, name: str) -> tuple[int, int, int]:
    """Weights, tables, code in the program, by its symbols; of its policies only one is counted."""
    listed = subprocess.run(
        ["arm-none-eabi-readelf", "-sW", str(program)], capture_output=True, text=True, check=True, timeout=LIMIT_S
    ).stdout
    weights = tables = code = 0
    file = ""
    for size, kind, binding, symbol in re.findall(
        r"^ *\d+: \w+ +(\d+) (OBJECT|FUNC|FILE) +(\w+) .* (\S+)$", listed, re.M
    ):
        if kind == "FILE":
            file = symbol  # local symbols come after their file
        elif kind == "FUNC":
            of_player = symbol in ("main", "start") if binding == "GLOBAL" else file == "play.c"
            code += 0 if of_player else int(size)
        elif re.search(r"_(weight|bias|multiplier|shift)$", symbol):
            weights += int(size)
        elif symbol in (f"rascanet_{name}", f"rascanet_{name}_network", "rascanet_sigmoid_table") or re.fullmatch(
            rf"rascanet_{name}_per_burst.*", symbol
        ):
            tables += int(size)
    return weights, tables, code


def expected_lines(
    network: IntegerNetwork, policies: Mapping[str, Policy], frames: npt.NDArray[np.uint8], decided: int
) -> list[str]:
    """The lines of `play` by the definition of the network and policies on floats; no decisions without policies."""
    hidden: npt.NDArray[np.int64] = np.zeros((len(frames), *network.hidden_shape), np.int64)
    bursts: list[list[str]] = [[] for _ in frames]
    for index in range(network.config.bursts_per_frame):
        first = index * network.config.BURST_ROWS
        made = network.step(frames[:, first : first + network.config.BURST_ROWS], hidden)
        hidden = made.hidden
        for number, said in enumerate(bursts):
            values = (*made.logits[number], made.confidence[number], made.p_person[number], _hash(hidden[number]))
            said.append(f"burst {number} {index} {' '.join(str(int(value)) for value in values)}")
    lines = []
    for number, frame in enumerate(frames):
        lines += bursts[number]
        if "never" in policies:
            lines.append(_decision(network, number, frame, "never", policies["never"]))
    for number, frame in enumerate(frames[:decided]):
        lines += [
            _decision(network, number, frame, name, policy) for name, policy in policies.items() if name != "never"
        ]
    return lines


def _decision(network: IntegerNetwork, number: int, frame: npt.NDArray[np.uint8], name: str, policy: Policy) -> str:
    scan = scan_frame(IntegerRuntime(network), frame, policy)
    p_person = round(scan.p_person * 2**15)
    return (
        f"decision {number} {name} {scan.person:d} {p_person} {scan.last_burst} {scan.processed} "
        f"{scan.skipped} {scan.exited:d}"
    )


def _hash(state: npt.NDArray[np.int16]) -> int:
    """FNV-1a, as int32."""
    value = 2166136261
    for byte in state.astype("<i2").tobytes():
        value = (value ^ byte) * 16777619 % 2**32
    return value - 2**32 if value >= 2**31 else value
