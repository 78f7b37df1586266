"""Records `network_{variant}.npz`: what our own network says with weights and frames made again from a seed.

Only outputs are stored. Run from the repository root: `python -m tests.vectors.make_network`.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.config import VARIANTS, RaScaNetConfig
from model.runtime import load_runtime
from tests.model.random_networks import STATE_TOLERANCE
from tests.networks import random_checkpoint

SEED = 13
"""One where P(person) moves through the middle of its range in both variants."""
FRAMES = 2
TILE_COLUMNS = 12

Frames = npt.NDArray[np.uint8]


def vector_file(config: RaScaNetConfig) -> Path:
    return Path(__file__).parent / f"network_{config.name}.npz"


def seeded_frames(config: RaScaNetConfig, count: int, seed: int) -> Frames:
    """Coloured tiles under noise (count, H, W, 3): bursts that differ, so that the hidden state moves."""
    rng = np.random.Generator(np.random.PCG64(seed))
    columns = -(-config.width // TILE_COLUMNS)
    tiles = rng.integers(0, 256, (count, config.bursts_per_frame, columns, 3))
    pictures = tiles.repeat(config.BURST_ROWS, 1).repeat(TILE_COLUMNS, 2)[:, :, : config.width]
    noisy: npt.NDArray[np.int64] = pictures + rng.integers(-40, 41, pictures.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def network_outputs(config: RaScaNetConfig) -> dict[str, npt.NDArray[np.float32]]:
    """The recorded outputs.

    logits (N, T, 2), confidence (N, T); hidden (N, 3, C, Wh) after the first, the middle and the last burst.
    """
    runtime = load_runtime(random_checkpoint(config, SEED))
    logits, confidence, hidden = [], [], []
    kept = (0, config.bursts_per_frame // 2, config.bursts_per_frame - 1)
    for frame in seeded_frames(config, FRAMES, SEED):
        state = runtime.initial_hidden()
        states = []
        for burst in np.split(frame, config.bursts_per_frame):
            result = runtime.step(burst, state)
            logits.append(result.logits)
            confidence.append(result.confidence)
            states.append(state.copy())
        hidden.append([states[index] for index in kept])
    return {
        "logits": np.concatenate(logits).reshape(FRAMES, -1, config.CLASSES),
        "confidence": np.concatenate(confidence).reshape(FRAMES, -1),
        "hidden": np.array(hidden, np.float32),
    }


def main() -> None:
    """Writes the file of every variant; a file stays where machines round differently."""
    for config in VARIANTS.values():
        outputs, file = network_outputs(config), vector_file(config)
        if file.is_file():
            with np.load(file) as recorded:
                if all(
                    np.allclose(recorded[name], found, rtol=0, atol=STATE_TOLERANCE) for name, found in outputs.items()
                ):
                    continue
        np.savez_compressed(file, allow_pickle=False, **outputs)


if __name__ == "__main__":
    main()
