"""Damaged messages, damaged tokens, random conversations and requests: nothing but typed errors may come of them.

make fuzz      a million inputs each by mutation and by coverage, 10,000 conversations and 30,000 requests
"""

import argparse
import base64
import random
import subprocess
import sys
import time
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from model.exit_policy import CalibratedPolicy
from model.runtime import load_runtime
from sensor_sim.wire import (
    Hello,
    Rows,
    WireError,
    decode,
    encode,
)
from server.errors import REFUSALS, ServiceError
from server.networks import ServedNetwork
from server.settings import Settings
from server.stream.session import StreamSession
from server.stream.tokens import Tokens
from tests.fuzz import doors
from tests.networks import SMALL, random_checkpoint
from tests.service_process import service_process
from tests.vectors.make_wire import MESSAGES

KEY = b"k" * 32
RUNTIME = load_runtime(random_checkpoint(SMALL, 1))
CERTIFIED = CalibratedPolicy(0.6, 0.5, 0.65, 0.5, risk=0.05, delta=0.05, certificate="ab" * 32)
MODELS = {SMALL.name: ServedNetwork(RUNTIME, "digest", CERTIFIED)}
LIMITS = Settings(credit_bursts=6, message_bursts=4).limits
TOKENS = Tokens([KEY], 60, lambda: 0.0)
PIECES = (b"{", b"}", b'"', b"[", b"null", b"-1", b"1e999", b"\\ud800", b"\x00", b"\xff", b'"type":', b"9" * 40)


def session() -> StreamSession:
    """A stream that begins."""
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
    signed = checkpoints()
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
            assert REFUSALS[error.code].close_code, error.code
            outcome = error.code
        found[outcome] = found.get(outcome, 0) + 1
    return found


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


def guided(target: str, runs: int, seed: int) -> None:
    """So many inputs through atheris, in a process of its own.

    Raises:
        CalledProcessError: an exception that is not typed, or it did not end.
    """
    with TemporaryDirectory() as corpus:
        options = [
            f"-runs={runs}",
            f"-seed={seed + 1}",
            "-max_len=4096",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={corpus}/",
        ]
        command = [sys.executable, "-m", "tests.fuzz.guided", target, corpus, *options]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=3600, check=False)
        print(f"{target}, guided by coverage: {done.stderr.strip().splitlines()[-1]}")
        if done.returncode:
            sys.stderr.write(done.stderr[-4000:])
            done.check_returncode()


def conversations(count: int, *, shrink: bool = True) -> None:
    """So many runs of each of the protocol's state machines; an example that fails is made as short as can be."""
    from tests.fuzz.machine import AuditedConversation, Conversation  # they take what is above from here

    options = settings(
        max_examples=count, stateful_step_count=30, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
    )  # fmt: skip
    for machine in (Conversation, AuditedConversation):
        run_state_machine_as_test(machine, settings=options)


def main() -> None:
    """Runs all of it and prints what came of it."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--inputs", type=int, default=1_000_000)
    arguments.add_argument("--conversations", type=int, default=10_000)
    arguments.add_argument("--requests", type=int, default=30_000)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    began = time.monotonic()
    print(f"{options.inputs} damaged messages and tokens:", inputs(random.Random(options.seed), options.inputs))
    for target in ("messages", "tokens"):
        guided(target, options.inputs, options.seed)
    conversations(options.conversations)
    print(f"{options.conversations} conversations of up to 30 messages: nothing but typed errors")
    answers = doors.ask_at_random(doors.application(MODELS), options.requests)
    print(
        f"{options.requests} requests to the HTTP doors, none of whose answers is a 5xx:", dict(answers.most_common())
    )
    with service_process() as (url, _):
        doors.send_at_random(url, options.requests // 10)
    print(f"{options.requests // 10} requests as raw bytes: no 5xx")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
