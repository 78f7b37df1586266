"""What happens to a fleet while paced streams run, and what must not come of it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from prometheus_client.parser import text_string_to_metric_families

from tests.scale.fleet import NOTICED_S, Fleet
from tests.scale.streams import Account, PacedStreams
from tests.service_process import KEY

NEW_KEY = "n" * 32
GOES_ON = 1001
CUT = 1006
"""No close frame came: the replica or the proxy was killed."""
EXPECTED_ENDS = {"end", "client_left", "drain", "stream_s"}
"""Of a replica's conversations: `client_left` where the proxy was killed."""


@dataclass(frozen=True)
class Plan:
    """Extent of a run.

    Attributes:
        streams: paced streams, half of them with an exit policy.
        frame_s: time of a frame.
        most, fewest: replicas, from 1 to `most` to `fewest`.
        stream_s: after which a stream is asked to go on elsewhere, so that new replicas get their share.
        keys: resume keys of the rolling deploys, one after the other.
        calm_s: after each event, for streams to move and to go on.
    """

    streams: int
    frame_s: float
    most: int
    fewest: int
    stream_s: float
    keys: tuple[str, ...]
    calm_s: float


FULL = Plan(100, 2.0, 4, 2, 12.0, (f"{KEY} {NEW_KEY}", f"{NEW_KEY} {KEY}", NEW_KEY), 3.0)
SHORT = Plan(10, 0.3, 3, 2, 2.0, (f"{KEY} {NEW_KEY}",), 0.4)


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        account: of the streams.
        spread: streams of each replica once all `most` had their share.
        killed: streams of the replica that was killed.
        ended: conversations that ended at the replicas, by their reason.
        refused: upgrades that replicas refused, by code.
    """

    account: Account
    spread: list[int]
    killed: int
    ended: Counter[str]
    refused: Counter[str]


def carry_out(
    fleet: Fleet,
    plan: Plan,
    tell: Callable[[str], None],
    changed: Callable[[], None] = lambda: None,
    calm: Callable[[], None] = lambda: None,
) -> Outcome:
    """Scales up, kills, drains, scales down, deploys and cuts the proxy while streams run; tells each event.

    Args:
        fleet: no replica yet.
        plan: extent of the run.
        tell: called with a sentence before each event.
        changed: called right after each event.
        calm: called once streams have moved and go on.
    """
    streams = PacedStreams(fleet.url, plan.streams, plan.frame_s)

    def event(sentence: str, happens: Callable[[], None], calm_s: float = plan.calm_s) -> None:
        tell(sentence)
        happens()
        changed()
        time.sleep(calm_s)
        calm()

    try:
        event("one replica", fleet.add, NOTICED_S)
        event(f"{plan.streams} streams begin", streams.start)
        event(f"from 1 to {plan.most} replicas", lambda: fleet.add(plan.most - 1), plan.stream_s + plan.frame_s)
        spread = streams_of(fleet)
        event(f"a replica with {spread[0]} streams is killed", fleet.kill)
        event("another takes its place", fleet.add, NOTICED_S)
        for _ in range(plan.most - plan.fewest):
            event("a replica is drained", fleet.drain)
        for keys in plan.keys:
            event(f"{plan.fewest} replicas are replaced, with other keys", partial(fleet.replace, keys))
        event("the proxy is killed and started again", fleet.cut)
        tell("the streams end")
        account = streams.finish()
    finally:
        streams.stop()
    for _ in range(plan.fewest):
        fleet.drain()
    return Outcome(account, spread, spread[0], fleet.ended(), fleet.refused())


def streams_of(fleet: Fleet) -> list[int]:
    """Open streams of each replica, the oldest first."""
    return [round(value_of(fleet.metrics(address), "rascanet_streams")) for address in fleet.replicas]


def value_of(text: str, name: str) -> float:
    """Sum of a metric's samples over all labels."""
    families = text_string_to_metric_families(text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def faults(plan: Plan, outcome: Outcome) -> list[str]:
    """Everything that should not have happened."""
    account = outcome.account
    found = [
        (account.wrong > 0, f"{account.wrong} decisions are not the ones made offline"),
        (account.missing != 0, f"{account.missing} frames are not in the summaries"),
        (not set(account.lost) <= {GOES_ON, CUT}, f"close codes {dict(account.lost)}"),
        # Those of the killed replica and all at the proxy; on its way back a stream may be cut once more.
        (account.lost[CUT] > 2 * (outcome.killed + plan.streams), f"{account.lost[CUT]} connections were cut"),
        (account.lost[GOES_ON] < plan.streams, f"{account.lost[GOES_ON]} streams were asked to go on elsewhere"),
        (account.moves > account.lost.total(), f"{account.moves} moves after {account.lost.total()} lost connections"),
        (not set(outcome.ended) <= EXPECTED_ENDS, f"conversations ended by {dict(outcome.ended)}"),
        (min(outcome.spread) == 0, f"a replica had no stream: {outcome.spread}"),
    ]
    return [words for is_so, words in found if is_so]
