"""Alert rules and the dashboard: queries of what a service has, rules that fire when they should."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.settings import Settings
from tests.deploy.promql import faults
from tests.scale.fleet import NAME, missing

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def _promtool(*arguments: object) -> None:
    if reason := missing("promtool"):
        pytest.skip(reason.replace("apt-get install promtool", "apt-get install prometheus"))
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def _dashboard_queries() -> list[str]:
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [*queries, *(each["expr"] for each in DASHBOARD["annotations"]["list"])]


def test_alerts_fire_when_they_should_and_only_then() -> None:
    _promtool("test", "rules", Path(__file__).parent / "alerts_test.yml")


def test_the_configuration_is_one() -> None:
    _promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")


def test_every_alert_is_tested() -> None:
    tested = set(re.findall(r'alertname="(\w+)"', (Path(__file__).parent / "alerts_test.yml").read_text()))
    assert tested == {rule["alert"] for rule in _rules() if "alert" in rule}


def test_every_alert_says_for_whom_it_is_and_what_to_do() -> None:
    for rule in _rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert {"summary", "description"} == set(rule["annotations"])
            for setting in re.findall(r"\b([a-z]+_(?:s|limit|proxies|connections|alarm))\b", str(rule["annotations"])):
                assert setting in Settings.model_fields, setting


@pytest.mark.parametrize("query", [*(rule["expr"] for rule in _rules()), *_dashboard_queries()])
def test_queries_ask_for_what_a_service_has(query: str) -> None:
    assert list(faults(query)) == []


def test_the_busy_alert_comes_before_the_limit() -> None:
    (rule,) = [rule for rule in _rules() if rule.get("alert") == "RascanetBusy"]
    (share,) = re.findall(r"> ([\d.]+)", rule["expr"])
    assert float(share) < Settings.model_fields["busy_limit"].default


def test_all_replicas_refute_a_certificate_at_the_evidence_at_which_one_does() -> None:
    (rule,) = [rule for rule in _rules() if rule.get("alert") == "RascanetCertificateRefuted"]
    (power,) = re.findall(r">= (\d+)", rule["expr"])
    alpha = Settings.model_fields["audit_alpha"].default
    assert 10 ** -float(power) == alpha
    assert f"a chance of {alpha:.0%}".replace("%", " %") in rule["annotations"]["description"]


def test_every_replica_that_the_name_gives_is_scraped() -> None:
    configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert (found["names"], found["port"]) == ([NAME], Settings.model_fields["port"].default)
    assert job["job_name"] == "rascanet", "rules and dashboard ask by this name"


def test_the_queries_of_the_dashboard_are_queries(tmp_path: Path) -> None:
    """As rules, since that is what Prometheus' tool checks without a server."""
    queries = [query.replace("$__rate_interval", "1m").replace("$instance", ".*") for query in _dashboard_queries()]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    _promtool("check", "rules", path)


def test_panels_have_names_of_their_own_and_cover_nothing() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_every_metric_of_a_service_is_on_the_dashboard() -> None:
    running = (Path(__file__).parents[2] / "docs" / "running.md").read_text()
    shown = " ".join(_dashboard_queries())
    for metric in re.findall(r"^\| `(rascanet_\w+)` \|", running, re.MULTILINE):
        assert metric in shown, metric
