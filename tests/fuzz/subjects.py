"""A service's parts that the fuzzers send to: a small network, its limits, streams and tokens."""

import numpy as np

from model.runtime import load_runtime
from sensor_sim.wire import Hello, Rows
from server.networks import ServedNetwork
from server.settings import Settings
from server.stream.session import StreamSession
from server.stream.tokens import Tokens
from tests.networks import SMALL, random_checkpoint
from tests.server.certificates import promised_policy

KEY = b"k" * 32
RUNTIME = load_runtime(random_checkpoint(SMALL, 1))
CERTIFIED = promised_policy(0.6, 0.5, 0.65, 0.5, certificate="ab" * 32)
MODELS = {SMALL.name: ServedNetwork(RUNTIME, "digest", CERTIFIED)}
LIMITS = Settings(credit_bursts=6, message_bursts=4).limits
TOKENS = Tokens([KEY], 60, lambda: 0.0)


def session() -> StreamSession:
    """A stream that begins."""
    return StreamSession(MODELS, LIMITS, TOKENS)


def checkpoints() -> list[str]:
    """Tokens of a stream within its frame."""
    opened = session()
    opened.receive(Hello(SMALL.name, checkpoint_every=1))
    opened.receive(Rows(0, 0, 3, 0, np.zeros((15, SMALL.width, 3), np.uint8)))
    found = []
    while (rows := opened.rows_to_step()) is not None:
        opened.advance(RUNTIME.step(rows, opened.hidden))
        found.append(opened.token())
    return found
