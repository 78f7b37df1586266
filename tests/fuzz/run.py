"""Damaged bytes at every place where bytes come in, random conversations and requests: typed errors alone may follow.

make fuzz      a million cheap inputs to each place, damaged at random and guided by coverage (fewer of those that cost
               more), 10,000 conversations and 30,000 requests
"""

import argparse
import base64
import logging
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from server.errors import ServiceError
from tests.fuzz import doors
from tests.fuzz.machine import AuditedConversation, Conversation
from tests.fuzz.subjects import MODELS, TOKENS, checkpoints
from tests.fuzz.targets import TARGETS
from tests.service_process import service_process

PIECES = (b"{", b"}", b'"', b"[", b"null", b"-1", b"1e999", b"\\ud800", b"\x00", b"\xff", b'"type":', b"9" * 40)


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


def mutated(target: str, rng: random.Random, count: int) -> Counter[str]:
    """So many damaged inputs to a target; how often each outcome came."""
    place, seeds = TARGETS[target], TARGETS[target].seeds()
    return Counter(place.take(damaged(rng, rng.choice(seeds))) for _ in range(count))


def tokens(rng: random.Random, count: int) -> Counter[str]:
    """So many damaged tokens, signature included: none is ever taken."""
    signed, found = checkpoints(), Counter[str]()
    for number in range(count):
        token = rng.choice(signed)
        if number % 2:
            token = damaged(rng, token.encode()).decode("latin-1")
        else:
            token = base64.urlsafe_b64encode(damaged(rng, base64.urlsafe_b64decode(token))).decode()
        try:
            TOKENS.open(token)
            assert token in signed, "a damaged token was taken"
            found["accepted"] += 1
        except ServiceError as error:
            found[error.code] += 1
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
            "-max_len=16384",
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
    logging.disable()  # what service and libraries say of damaged input would hide the counts
    began = time.monotonic()
    rng = random.Random(options.seed)
    print(f"{options.inputs} damaged tokens:", dict(tokens(rng, options.inputs)))
    for name, target in TARGETS.items():
        count = options.inputs // target.cost
        print(f"{count} damaged {name}:", dict(mutated(name, rng, count).most_common()))
        guided(name, count, options.seed)
    conversations(options.conversations)
    print(f"{options.conversations} conversations of up to 30 messages: nothing but typed errors")
    answers = doors.ask_at_random(doors.application(MODELS), options.requests)
    print(
        f"{options.requests} requests to the HTTP doors, none of whose answers is a 5xx:", dict(answers.most_common())
    )
    with Path(os.devnull).open("wb") as log, service_process(log=log) as (url, _):
        doors.send_at_random(url, options.requests // 10)
    print(f"{options.requests // 10} requests as raw bytes: no 5xx")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
