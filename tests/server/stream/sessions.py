"""Conversations with a session in tests: networks, frames, messages through wire, session and network."""

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from model.exit_policy import NeverExitPolicy, PublishedPolicy
from model.runtime import load_runtime
from sensor_sim.wire import Control, Message, Rows, decode, encode
from server.settings import Settings
from server.stream.session import StreamSession
from tests.networks import SMALL, random_checkpoint, random_integer_network

RUNTIMES = {seed: load_runtime(random_checkpoint(SMALL, seed)) for seed in range(3)}
RUNTIMES[3] = load_runtime(random_integer_network(SMALL, 1))
BURSTS = SMALL.bursts_per_frame
LIMITS = Settings().limits

policies = st.one_of(
    st.just(NeverExitPolicy()),
    st.builds(
        lambda low, gap: PublishedPolicy(min(low + gap, 1.0), low),
        st.floats(0, 0.7),
        st.floats(0.01, 0.5),
    ),
)


def frame_of(seed: int) -> npt.NDArray[np.uint8]:
    """Uneven, so that P(person) moves from burst to burst."""
    rng = np.random.default_rng(seed)
    levels = rng.uniform(0, 255, (SMALL.height, 1, 3))
    return np.clip(levels + rng.normal(0, 60, SMALL.frame_shape), 0, 255).astype(np.uint8)


def say(session: StreamSession, message: Message) -> list[Control]:
    """One message through wire, session and network, as the endpoint does it."""
    replies = session.receive(decode(encode(message)))
    while (rows := session.rows_to_step()) is not None:
        replies += session.advance(session.runtime.step(rows, session.hidden))
    return [decoded for reply in replies if not isinstance(decoded := decode(encode(reply)), Rows)]


def rows_of(frame: npt.NDArray[np.uint8], first: int, count: int, frame_id: int = 0) -> Rows:
    return Rows(frame_id, first, count, 0, frame[5 * first : 5 * (first + count)])
