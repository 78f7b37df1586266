"""A fleet behind real proxies while everything happens to it that a cluster does; nothing may be lost or wrong.

    make scale      with HAProxy and with Caddy, Prometheus beside them

Fails on a decision that is wrong or missing, a close code but 1001 and the cut of what was killed, a conversation that
ended otherwise, a replica that gets no stream, or a query of the shipped rules that Prometheus can't answer.
"""

import argparse
import time
from dataclasses import asdict

import yaml

from tests.scale.fleet import DEPLOY, PROXIES, Fleet, missing
from tests.scale.scenario import FULL, Outcome, Plan, carry_out, faults
from tests.scale.watch import Prometheus


def main() -> None:
    """Runs the scenario with each proxy, and prints what was found."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--proxy", choices=sorted(PROXIES), action="append")
    arguments.add_argument("--streams", type=int, default=FULL.streams)
    options = arguments.parse_args()
    proxies = options.proxy or list(PROXIES)
    if reason := missing(*(PROXIES[proxy][0] for proxy in proxies), "prometheus"):
        raise SystemExit(reason)
    plan = Plan(**asdict(FULL) | {"streams": options.streams})
    found = [f"{proxy}: {words}" for proxy in proxies for words in _run(proxy, plan)]
    raise SystemExit("\n".join(found) or None)


def _run(proxy: str, plan: Plan) -> list[str]:
    room = str(2 * plan.streams)
    began = time.monotonic()
    with Fleet(
        proxy, "--stream-s", str(plan.stream_s), "--max-streams", room, "--max-streams-per-address", room
    ) as fleet, Prometheus(fleet.folder) as prometheus:  # fmt: skip

        def tell(sentence: str) -> None:
            print(f"  {time.monotonic() - began:5.1f} s {sentence}", flush=True)

        def calm() -> None:
            values = {name: prometheus.ask(query) for name, query in WATCHED.items()}
            seen = ", ".join(f"{name} {found[0][1]:.3g}" for name, found in values.items() if found)
            print(f"          by Prometheus: {seen}", flush=True)

        outcome = carry_out(fleet, plan, tell, lambda: prometheus.follow(fleet), calm)
        unanswered = _unanswered(prometheus)
    _tell(proxy, plan, outcome, time.monotonic() - began)
    return faults(plan, outcome) + [f"Prometheus has nothing for {query}" for query in unanswered]


WATCHED = {
    "replicas": "count(up == 1)",
    "streams": "sum(rascanet_streams)",
    "busiest": "max(rascanet_busy_ratio)",
    "decision p99, s": "rascanet:decision_latency_seconds:p99",
}


def _unanswered(prometheus: Prometheus) -> list[str]:
    """Recorded series without a value."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    recorded = [rule["record"] for group in groups for rule in group["rules"] if "record" in rule]
    return [name for name in recorded if not prometheus.ask(f"max_over_time({name}[10m])")]


def _tell(proxy: str, plan: Plan, outcome: Outcome, seconds: float) -> None:
    account = outcome.account
    print(
        f"{proxy}: {plan.streams} streams, {account.decisions} decisions, {account.wrong} wrong, "
        f"{account.missing} missing, in {seconds:.0f} s\n"
        f"  {account.moves} moves: {account.lost[1001]} asked to go on elsewhere (1001), {account.lost[1006]} cut with "
        f"what was killed; longest gap {account.longest_gap_s:.2f} s\n"
        f"  streams of each replica after scaling up: {outcome.spread}; refused by replicas: "
        f"{dict(outcome.refused) or 'none'}, seen by clients that begin: {account.refusals}\n"
        f"  conversations ended by {dict(outcome.ended)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
