"""Damaged messages, damaged tokens and random conversations: nothing but typed errors may come of them.

make fuzz      a million inputs and 10,000 conversations
"""

import argparse
import base64
import random
import time

import msgspec
import numpy as np

from model.runtime import load_runtime
from sensor_sim.burst import PixelFormat
from sensor_sim.wire import (
    Checkpoint,
    Decision,
    End,
    Hello,
    Message,
    Resume,
    Rows,
    Sync,
    Welcome,
    WireError,
    decode,
    encode,
)
from server.errors import CLOSE_CODES, ServiceError
from server.resume import Tokens, encode_hello
from server.session import Phase, ServedModel, StreamSession
from server.settings import Settings
from tests.networks import SMALL, random_checkpoint
from tests.vectors.make_wire import MESSAGES

MODELS = {SMALL.name: ServedModel(load_runtime(random_checkpoint(SMALL, 1)), "digest")}
LIMITS = Settings(credit_bursts=3, message_bursts=4).limits
TOKENS = Tokens(b"k" * 32, 60, lambda: 0.0)
PIECES = (b"{", b"}", b'"', b"[", b"null", b"-1", b"1e999", b"\\ud800", b"\x00", b"\xff", b'"type":', b"9" * 40)


def _session() -> StreamSession:
    return StreamSession(MODELS, LIMITS, TOKENS)


def damaged(rng: random.Random, content: bytes) -> bytes:
    """The content with up to four bytes changed, cut out, doubled or put in."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.randint(1, 8)]
        elif kind == 2:
            data[at:at] = data[max(0, at - rng.randint(1, 8)) : at]
        elif kind == 3:
            data[at:at] = rng.choice(PIECES)
        else:
            del data[at:]
    return bytes(data)


def inputs(rng: random.Random, count: int) -> dict[str, int]:
    """Damaged messages through `decode`, damaged tokens through `Tokens.open`; how often each came out."""
    said = [encode(message) for message in MESSAGES.values()]
    hello = encode_hello(Hello(SMALL.name))
    session = _session()
    session.receive(Hello(SMALL.name))
    signed = [session.token(), TOKENS.seal("digest", hello, session._totals, 3, {"next_burst": 1}, bytes(96))]
    found: dict[str, int] = {}
    for number in range(count):
        outcome = "accepted"
        try:
            if number % 4 == 3:
                token = rng.choice(signed)
                if rng.random() < 0.5:
                    token = damaged(rng, token.encode()).decode("latin-1")
                else:
                    token = base64.urlsafe_b64encode(damaged(rng, base64.urlsafe_b64decode(token))).decode()
                TOKENS.open(token)
                assert token in signed, "a damaged token was taken"
            else:
                message = rng.choice(said)
                data = damaged(rng, message.encode() if isinstance(message, str) else message)
                decode(data.decode(errors="replace") if isinstance(message, str) else data)
        except (WireError, ServiceError) as error:
            assert error.code in CLOSE_CODES, error.code
            outcome = error.code
        found[outcome] = found.get(outcome, 0) + 1
    return found


def _message(rng: random.Random, tokens: list[str], place: list[int]) -> Message:
    kind = rng.random()
    if kind < 0.75:
        burst, bursts = place[1], rng.choice((1, 1, 1, 2, 3, 5))
        if rng.random() < 0.05:
            burst += rng.choice((-1, 1, 2))
        frame = place[0] + (rng.choice((-1, 1)) if rng.random() < 0.05 else 0)
        width = SMALL.width + (rng.random() < 0.02)
        halo = rng.choice(tuple(PixelFormat)) if rng.random() < 0.02 else PixelFormat.RGB8
        rows = np.zeros((5 * bursts + 2 * halo.halo_rows, width, halo.channels), np.uint8) + rng.randrange(256)
        place[1] = burst + bursts
        if place[1] >= SMALL.bursts_per_frame:
            place[:] = [place[0] + 1, 0]
        return Rows(max(0, frame), max(0, burst), bursts, 0, rows.astype(np.uint8), halo)
    if kind < 0.85:
        return Sync(rng.randrange(9))
    if kind < 0.9:
        return rng.choice((End(), Hello(SMALL.name), Hello("1x1"), Hello(SMALL.name, {"name": "x"})))
    if kind < 0.95:
        return Resume(rng.choice(tokens) if tokens else "x")
    return rng.choice([message for message in MESSAGES.values() if not isinstance(message, Rows)])


def conversation(rng: random.Random, tokens: list[str]) -> str:
    """One stream of random, mostly legal messages; how it ended."""
    session, place, counted = _session(), [0, 0], 0
    skip = {"name": "published", "exit_threshold": rng.random() * 0.5 + 0.5, "skip_threshold": rng.random() * 0.5}
    opening: Message = Resume(rng.choice(tokens)) if tokens and rng.random() < 0.3 else Hello(SMALL.name, skip, 2)
    if isinstance(opening, Hello):
        opening = msgspec.structs.replace(opening, checkpoint_every=rng.randrange(4))
    message = opening
    for _ in range(rng.randint(1, 60)):
        try:
            replies = session.receive(decode(encode(message)))
            while (rows := session.rows_to_step()) is not None:
                replies += session.advance(session.runtime.step(rows, session.hidden))
        except (ServiceError, WireError) as error:
            assert error.code in CLOSE_CODES, error.code
            return error.code
        for reply in replies:
            assert decode(encode(reply)) == reply
            if isinstance(reply, Decision | Checkpoint | Welcome):
                assert session.bursts <= reply.credits <= session.bursts + LIMITS.credit_bursts
                tokens[counted % 50 : counted % 50 + 1] = [reply.token]
                counted += 1
            if isinstance(reply, Decision):
                assert reply.processed + reply.skipped + reply.unread == SMALL.bursts_per_frame
            if isinstance(reply, Welcome) and reply.position:
                place = [reply.position.frame_id, reply.position.next_burst]
                if place[1] >= SMALL.bursts_per_frame:
                    place = [place[0] + 1, 0]
        if session.phase is Phase.ENDED:
            return "end"
        message = _message(rng, tokens, place)
    return "left"


def conversations(rng: random.Random, count: int) -> dict[str, int]:
    """How so many conversations ended."""
    tokens: list[str] = []
    found: dict[str, int] = {}
    for _ in range(count):
        outcome = conversation(rng, tokens)
        found[outcome] = found.get(outcome, 0) + 1
    return found


def main() -> None:
    """Runs both and prints what came of it."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--inputs", type=int, default=1_000_000)
    arguments.add_argument("--conversations", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    rng = random.Random(options.seed)
    began = time.monotonic()
    print("inputs", options.inputs, inputs(rng, options.inputs))
    print("conversations", options.conversations, conversations(rng, options.conversations))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
