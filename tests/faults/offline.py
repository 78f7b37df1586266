"""What a stream has to decide, from the network's whole-frame `forward` and the policy alone."""

import math

import numpy as np
import torch

from model.checkpoint import Checkpoint
from model.exit_policy import NeverExitPolicy, PublishedPolicy
from model.preprocess import network_input
from model.scan import FrameScan
from model.torch_runtime import network_from
from sensor_sim.burst import Frame
from sensor_sim.wire import Decision


def random_frames(count: int, shape: tuple[int, ...], seed: int = 3) -> list[Frame]:
    """Noise."""
    return list(np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8))


class Offline:
    """Decisions on frames, without the service.

    Attributes:
        exits: a policy under which about half of these frames exit, whatever the weights.
    """

    def __init__(self, checkpoint: Checkpoint, frames: list[Frame]) -> None:
        self._config = checkpoint.config
        network = network_from(checkpoint)
        with torch.inference_mode():
            logits = network(torch.from_numpy(network_input(np.stack(frames)))).logits
        self._chances: list[list[float]] = torch.softmax(logits, -1)[..., 1].tolist()
        peaks = sorted(max(chances[:-1]) for chances in self._chances)
        middle = len(peaks) // 2
        self.exits = PublishedPolicy(exit_threshold=(peaks[middle - 1] + peaks[middle]) / 2, skip_threshold=0.0)

    def judge(self, decisions: list[Decision], policy: NeverExitPolicy | PublishedPolicy) -> None:
        """Asserts that these are the decisions on the frames, in their order."""
        assert len(decisions) == len(self._chances)
        for decision, chances in zip(decisions, self._chances, strict=True):
            scan = FrameScan(self._config.bursts_per_frame, policy)
            for chance in chances:
                if not scan.decided:
                    scan.advance(chance, 0.0)
            assert math.isclose(decision.p_person, scan.p_person, abs_tol=1e-5)
            for field in ("processed", "skipped", "unread", "exited", "person"):
                assert getattr(decision, field) == getattr(scan, field), field
