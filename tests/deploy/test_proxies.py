"""Configurations of proxies: checked by their programs where `make scale` runs them, else against the service."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from server.app import create_app
from server.settings import Settings
from tests.conftest import served
from tests.scale.fleet import NAME, PROXIES, found, missing

DEPLOY = Path(__file__).parents[2] / "deploy"
ENVOY: dict[str, Any] = yaml.safe_load((DEPLOY / "envoy.yaml").read_text())["static_resources"]
ROUTES: dict[str, Any] = yaml.safe_load((DEPLOY / "traefik" / "routes.yaml").read_text())["http"]
PORT = Settings.model_fields["port"].default
CHECKS = {
    "haproxy": ("haproxy", "-c", "-f", str(DEPLOY / "haproxy.cfg")),
    "caddy": ("caddy", "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")),
}


@pytest.mark.parametrize("proxy", PROXIES)
def test_configurations_are_taken_as_they_are(proxy: str, tmp_path: Path) -> None:
    """Without any variable: as a container runs them."""
    program, *arguments = CHECKS[proxy]
    if reason := missing(program):
        pytest.skip(reason)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/usr/sbin"}
    command = [found(program) or program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def service() -> TestClient:
    return TestClient(create_app(Settings(), served()), base_url="http://localhost")


def test_health_is_asked_where_it_is_told(service: TestClient) -> None:
    (cluster,) = ENVOY["clusters"]
    envoy = [check["http_health_check"]["path"] for check in cluster["health_checks"]]
    traefik = ROUTES["services"]["replicas"]["loadBalancer"]["healthCheck"]["path"]
    haproxy = (DEPLOY / "haproxy.cfg").read_text()
    with service as client:
        for path in (*envoy, traefik):
            assert client.get(path).status_code == 200
            assert f"uri {path} " in haproxy


def test_envoy_finds_the_replicas_and_cuts_no_stream() -> None:
    (cluster,) = ENVOY["clusters"]
    ((endpoint,),) = [each["lb_endpoints"] for each in cluster["load_assignment"]["endpoints"]]
    address = endpoint["endpoint"]["address"]["socket_address"]
    assert (address["address"], address["port_value"]) == (NAME, PORT)
    (listener,) = ENVOY["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (streams,) = [
        route for route in manager["route_config"]["virtual_hosts"][0]["routes"] if "path" in route["match"]
    ]  # fmt: skip
    assert streams["match"]["path"] == "/v1/stream"
    assert streams["route"]["timeout"] == "0s"
    assert {each["upgrade_type"] for each in manager["upgrade_configs"]} == {"websocket"}
    idle_s = Settings.model_fields["idle_s"].default
    assert float(manager["stream_idle_timeout"].rstrip("s")) > idle_s, "the service says why, before the proxy cuts"


def test_traefik_finds_the_replicas() -> None:
    servers = ROUTES["services"]["replicas"]["loadBalancer"]["servers"]
    assert {server["url"].rpartition(":")[2] for server in servers} == {str(PORT)}
    static = yaml.safe_load((DEPLOY / "traefik" / "traefik.yaml").read_text())
    assert set(ROUTES["routers"]["streams"]["entryPoints"]) <= set(static["entryPoints"])
    assert set(ROUTES["routers"]["streams"]["middlewares"]) <= set(ROUTES["middlewares"])
    assert ROUTES["routers"]["streams"]["service"] in ROUTES["services"]
    assert Path(static["providers"]["file"]["filename"]).name == "routes.yaml"
