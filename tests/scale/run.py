"""A fleet behind real proxies while everything happens to it that a cluster does; nothing may be lost or wrong.

    make scale      with HAProxy and with Caddy, Prometheus beside them

Fails on a decision that is wrong or missing, a close code but 1001 and the cut of what was killed, a conversation that
ended otherwise, a replica that gets no stream, or a query of the shipped rules that Prometheus can't answer.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import yaml
from rich.console import Console

from clients.commands.table import Table, refresh_page
from tests.scale.fleet import DEPLOY, PROXIES, Fleet, missing
from tests.scale.scenario import CUT, FULL, GOES_ON, Outcome, Plan, carry_out, faults
from tests.scale.watch import Prometheus


def main() -> None:
    """Runs the scenario with each proxy, and prints what was found."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--proxy", choices=sorted(PROXIES), action="append")
    arguments.add_argument("--streams", type=int, default=FULL.streams)
    arguments.add_argument("--page", type=Path, help="Markdown page whose table is replaced")
    options = arguments.parse_args()
    proxies = options.proxy or list(PROXIES)
    if reason := missing(*(PROXIES[proxy][0] for proxy in proxies), "prometheus"):
        raise SystemExit(reason)
    plan = Plan(**asdict(FULL) | {"streams": options.streams})
    outcomes, found = {}, []
    for proxy in proxies:
        outcomes[proxy], wrong = _run(proxy, plan)
        found += [f"{proxy}: {words}" for words in wrong]
    result = table(plan, outcomes)
    result.show(Console())
    if options.page:
        refresh_page(options.page, {"scale": [result]})
    raise SystemExit("\n".join(found) or None)


def _run(proxy: str, plan: Plan) -> tuple[Outcome, list[str]]:
    print(proxy, flush=True)
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
    print(f"  {outcome}", flush=True)
    return outcome, faults(plan, outcome) + [f"Prometheus has nothing for {query}" for query in unanswered]


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


def table(plan: Plan, outcomes: Mapping[str, Outcome]) -> Table:
    """What each proxy's run came to."""
    rows = [
        (
            proxy,
            f"{outcome.account.decisions:,}",
            str(outcome.account.wrong),
            str(outcome.account.missing),
            str(outcome.account.lost[GOES_ON]),
            str(outcome.account.lost[CUT]),
            f"{outcome.account.longest_gap_s:.2f}",
            str(outcome.refused.total()),
            str(outcome.account.refusals),
            ", ".join(map(str, outcome.spread)),
        )
        for proxy, outcome in outcomes.items()
    ]
    headings = (
        "proxy", "decisions", "wrong", "missing", "moved\n(1001)", "cut by\na kill",
        "longest\ngap, s", "refused by\na replica", "new streams\nrefused",
        f"streams of each\nof the {plan.most} replicas",
    )  # fmt: skip
    return Table(f"{plan.streams} streams", headings, rows)


if __name__ == "__main__":
    main()
