"""Manifests: valid for the versions of Kubernetes named, and true of the service that they run."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml
from starlette.testclient import TestClient

from model.picture import MOST_BYTES_PER_PX
from server.app import create_app
from server.settings import Settings
from tests.conftest import served
from tests.deploy.promql import faults

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
"""Those that docs/scaling.md names."""
OVERLAYS = ("overlays/gateway", "overlays/traefik", "kserve")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KUSTOMIZE = {"Kustomization", "Component"}
SERVICE_BYTES, DECODER_BYTES = 110e6, 36e6
"""Memory of a service in `make soak`, with room for a quarter more; and of a decoder that has no picture yet."""


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            name = document.get("metadata", {}).get("name", "")
            yield f"{path.relative_to(FOLDER)}: {document['kind']} {name}".rstrip(), document


DOCUMENTS = dict(_documents())
RESOURCES = {name: document for name, document in DOCUMENTS.items() if document["kind"] not in KUSTOMIZE}


def _the(kind: str) -> dict[str, Any]:
    (found,) = [document for document in RESOURCES.values() if document["kind"] == kind]
    return found


def _settings_of_the_map() -> dict[str, str]:
    lines = (FOLDER / "base" / "settings.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _check(document: dict[str, Any], version: str) -> None:
    """Raises an error of the schema's library where a document is wrong."""
    schema = SCHEMAS / f"{document['kind']}.json"
    if schema.is_file():
        jsonschema_rs.validator_for(json.loads(schema.read_text())).validate(document)
        if containers := document["spec"].get("containers"):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {"containers": containers}}
            kubernetes_validate.validate(pod, version, strict=True)
    else:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(version: str) -> None:
    for name, document in RESOURCES.items():
        try:
            _check(document, version)
        except (kubernetes_validate.ValidationError, jsonschema_rs.ValidationError) as error:
            pytest.fail(f"{name}: {error}")


@pytest.mark.parametrize("name", RESOURCES)
def test_the_check_finds_a_field_that_is_not_there(name: str) -> None:
    document = json.loads(json.dumps(RESOURCES[name]))
    place = document.get("spec", document)
    place["replicsa"] = 3
    with pytest.raises((kubernetes_validate.ValidationError, jsonschema_rs.ValidationError)):
        _check(document, VERSIONS[-1])


def test_every_file_is_in_a_kustomization() -> None:
    named = set()
    for name, document in DOCUMENTS.items():
        if document["kind"] in KUSTOMIZE:
            folder = (FOLDER / name.split(":")[0]).parent
            for each in (*document.get("resources", []), *document.get("components", [])):
                place = (folder / each).resolve()
                place = place / "kustomization.yaml" if place.is_dir() else place
                assert place.is_file(), f"{name}: {each}"
                named.add(place)
    files = {path.resolve() for path in FOLDER.rglob("*.yaml")}
    assert files - named == {(FOLDER / overlay / "kustomization.yaml").resolve() for overlay in OVERLAYS}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_are_built(overlay: str, tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed, and Debian's is too old for components")
    folder = tmp_path / "kubernetes"
    shutil.copytree(FOLDER, folder)
    (folder / "keys" / "resume_key").write_text("k" * 32)
    command = ["kubectl", "kustomize", str(folder / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    for document in built:
        _check(document, VERSIONS[-1])
        assert document["metadata"]["namespace"] == "rascanet"
    images = re.findall(r"image: (\S+)", done.stdout)
    assert images == ["registry.example.org/rascanet-stream:0.1.0"]
    maps = {document["metadata"]["name"] for document in built if document["kind"] in ("ConfigMap", "Secret")}
    for used in re.findall(r"(?:configMapRef|secretKeyRef):\n(?:\s+key: \S+\n)?\s+name: (\S+)", done.stdout):
        assert used in maps
        assert re.search(r"-[a-z0-9]{10}$", used), "the name follows from the content"


@pytest.fixture(scope="module")
def service() -> Iterator[TestClient]:
    with TestClient(create_app(Settings(), served()), base_url="http://localhost") as client:
        yield client


def _containers() -> list[dict[str, Any]]:
    return [
        *_the("Deployment")["spec"]["template"]["spec"]["containers"],
        *_the("ServingRuntime")["spec"]["containers"],
    ]


def _environment(container: dict[str, Any]) -> dict[str, str]:
    """Variables and values; a key stands in for the secret."""
    variables = {each["name"]: each.get("value", "k" * 32) for each in container["env"]}
    return (_settings_of_the_map() if "envFrom" in container else {}) | variables


@pytest.mark.parametrize("container", _containers(), ids=lambda container: container["name"])
def test_settings_exist_and_can_be(container: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _environment(container)
    for name, value in environment.items():
        assert name.removeprefix("RASCANET_").lower() in Settings.model_fields, name
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.host == "0.0.0.0"  # noqa: S104 - within a pod
    assert {port["containerPort"] for port in container["ports"]} == {settings.port}


@pytest.mark.parametrize("container", _containers(), ids=lambda container: container["name"])
def test_probes_are_answered(container: dict[str, Any], service: TestClient) -> None:
    probes = [probe for name, probe in container.items() if name.endswith("Probe")]
    assert len(probes) >= 2
    named = {
        each: port["containerPort"] for port in container["ports"] for each in (port["name"], port["containerPort"])
    }
    for probe in probes:
        asked = probe["httpGet"]
        assert asked["port"] in named
        assert service.get(asked["path"]).status_code == 200, asked["path"]


def test_readiness_is_about_streams_and_liveness_is_not() -> None:
    (container,) = _the("Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz/live"
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz/live"


def test_selectors_find_the_pods() -> None:
    labels = _the("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        _the("Deployment")["spec"]["selector"]["matchLabels"],
        _the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        _the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(document["spec"]["selector"] for document in RESOURCES.values() if document["kind"] == "Service"),
    ]
    assert all(selector == labels for selector in selectors)


def test_the_page_makes_the_namespace_and_labels_those_that_may_reach_the_replicas() -> None:
    page = (ROOT / "docs" / "scaling.md").read_text()
    steps, _, _ = page.partition("kubectl apply -k")
    for overlay in OVERLAYS:
        namespace = DOCUMENTS[f"{overlay}/kustomization.yaml: Kustomization"]["namespace"]
        assert f"kubectl create namespace {namespace}\n" in steps
    labels = {
        f"{name}={value}"
        for way in _the("NetworkPolicy")["spec"]["ingress"]
        for source in way["from"]
        for name, value in source["namespaceSelector"]["matchLabels"].items()
    }
    assert labels == set(re.findall(r"^kubectl label namespace \S+ (\S+)$", steps, flags=re.M))
    (parent,) = _the("HTTPRoute")["spec"]["parentRefs"]
    assert f"kubectl label namespace {parent['namespace']} rascanet.proxy=true" in steps


def test_ports_go_through() -> None:
    (container,) = _the("Deployment")["spec"]["template"]["spec"]["containers"]
    names = {port["name"]: port["containerPort"] for port in container["ports"]}
    services = {
        document["metadata"]["name"]: document for document in RESOURCES.values() if document["kind"] == "Service"
    }
    for document in services.values():
        assert all(port["targetPort"] in names for port in document["spec"]["ports"])
    assert services["rascanet-replicas"]["spec"]["ports"][0]["port"] == names["http"], (
        "proxies ask for the replicas' port"
    )
    (rule,) = _the("NetworkPolicy")["spec"]["ingress"]
    assert {port["port"] for port in rule["ports"]} <= set(names)
    for rule in _the("HTTPRoute")["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            assert backend["port"] in {port["port"] for port in services[backend["name"]]["spec"]["ports"]}
    for path in _the("Ingress")["spec"]["rules"][0]["http"]["paths"]:
        backend = path["backend"]["service"]
        assert backend["port"]["name"] in {port["name"] for port in services[backend["name"]]["spec"]["ports"]}
    for annotations in (
        _the("Deployment")["spec"]["template"]["metadata"]["annotations"],
        _the("ServingRuntime")["spec"]["annotations"],
    ):
        assert int(annotations["prometheus.io/port"]) == names["http"]
        assert annotations["prometheus.io/path"] == "/metrics"


def _paths() -> dict[str, dict[str, str]]:
    """Paths that each way into the cluster has, and whether they are prefixes."""
    route = [match["path"] for rule in _the("HTTPRoute")["spec"]["rules"] for match in rule["matches"]]
    ingress = _the("Ingress")["spec"]["rules"][0]["http"]["paths"]
    return {
        "gateway": {path["value"]: path["type"].removeprefix("Path") for path in route},
        "traefik": {path["path"]: path["pathType"] for path in ingress},
    }


def _answered(paths: dict[str, str], path: str) -> bool:
    return any(path == each or (kind == "Prefix" and path.startswith(f"{each}/")) for each, kind in paths.items())


@pytest.mark.parametrize("way", ["gateway", "traefik"])
def test_what_clients_need_is_reached_and_metrics_are_not(way: str, service: TestClient) -> None:
    paths = _paths()[way]
    described = service.get("/openapi.json").json()["paths"]
    needed = {"/", "/v1/stream", *(path for path in described if path not in ("/metrics",))}
    assert [path for path in sorted(needed) if not _answered(paths, path)] == []
    assert not _answered(paths, "/metrics")
    for each in set(paths) - {"/", "/assets", "/v1/stream"}:
        assert any(path.startswith(f"{each}/") for path in described), f"there is nothing below {each}"


def test_hosts_are_the_same_everywhere() -> None:
    hosts = json.loads(_settings_of_the_map()["RASCANET_ALLOWED_HOSTS"])
    (rule,), (tls,) = _the("Ingress")["spec"]["rules"], _the("Ingress")["spec"]["tls"]
    assert hosts == _the("HTTPRoute")["spec"]["hostnames"] == [rule["host"]] == tls["hosts"]


def test_a_replica_has_time_to_drain() -> None:
    pod = _the("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    requests_s, margin_s = 5, 10
    before_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed_s = before_s + float(_settings_of_the_map()["RASCANET_DRAIN_S"]) + requests_s + margin_s
    assert pod["terminationGracePeriodSeconds"] >= needed_s
    probe = container["readinessProbe"]
    assert before_s > probe["periodSeconds"], "proxies hear of it before the replica refuses"
    assert float(_settings_of_the_map()["RASCANET_RESUME_S"]) > pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("container", _containers(), ids=lambda container: container["name"])
def test_a_replica_has_the_memory_for_its_largest_requests(
    container: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _environment(container).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.request_threads, "one for each core of a node can be any number"
    decoder = DECODER_BYTES + MOST_BYTES_PER_PX * settings.image_pixels
    needed = SERVICE_BYTES + settings.bodies_bytes + settings.request_threads * decoder
    assert needed <= int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 2**30


def test_a_replica_is_restarted_only_when_it_stands_still() -> None:
    (container,) = _the("Deployment")["spec"]["template"]["spec"]["containers"]
    probe = container["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 60, "as the parent of workers waits too"


def test_pods_have_no_rights() -> None:
    pod = _the("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == int(
        *re.findall(r"^USER (\d+)$", DOCKERFILE.split(" AS server\n")[1], re.M)
    )
    assert not pod["automountServiceAccountToken"]
    for container in _containers():
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "cpu" not in container["resources"]["limits"], "throttling stops the event loop of every stream"
    assert _the("NetworkPolicy")["spec"]["egress"] == []
    assert "resume_key" in (FOLDER / "keys" / ".gitignore").read_text().split()


def _adapter() -> dict[str, Any]:
    rules: dict[str, Any] = yaml.safe_load(_the("ConfigMap")["data"]["rules.yaml"])
    return rules


def _aims() -> dict[str, float]:
    """The autoscaler's aims by metric."""
    found = {}
    for metric in _the("HorizontalPodAutoscaler")["spec"]["metrics"]:
        aim = metric["pods"]["target"]["averageValue"]
        found[metric["pods"]["metric"]["name"]] = float(aim.rstrip("m")) / (1000 if aim.endswith("m") else 1)
    return found


def test_the_autoscaler_asks_for_what_a_service_has() -> None:
    queries = [trigger["metadata"]["query"] for trigger in _the("ScaledObject")["spec"]["triggers"]]
    for rule in _adapter()["rules"]:
        queries.append(re.sub(r"<<\.GroupBy>>", "job", rule["metricsQuery"].replace("{<<.LabelMatchers>>}", "")))
        assert rule["seriesQuery"].split("{")[0] == rule["name"]["as"]
    for query in queries:
        assert list(faults(query)) == []
    assert {rule["name"]["as"] for rule in _adapter()["rules"]} == set(_aims())


def test_both_autoscalers_have_the_same_aims() -> None:
    horizontal, scaled = _the("HorizontalPodAutoscaler")["spec"], _the("ScaledObject")["spec"]
    assert horizontal["minReplicas"] == scaled["minReplicaCount"]
    assert horizontal["maxReplicas"] == scaled["maxReplicaCount"]
    assert horizontal["behavior"] == scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert horizontal["scaleTargetRef"]["name"] == scaled["scaleTargetRef"]["name"]
    thresholds = {
        re.findall(r"rascanet_\w+", trigger["metadata"]["query"])[0]: float(trigger["metadata"]["threshold"])
        for trigger in scaled["triggers"]
    }
    assert thresholds == _aims()


def test_aims_are_below_the_limits_of_a_replica() -> None:
    settings = _settings_of_the_map()
    for metric, limit in (("rascanet_busy_ratio", "RASCANET_BUSY_LIMIT"), ("rascanet_streams", "RASCANET_MAX_STREAMS")):
        assert _aims()[metric] * 1.5 < float(settings[limit]), "two of three regions carry all streams"


def test_replicas_go_slowly() -> None:
    behavior = _the("HorizontalPodAutoscaler")["spec"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
    assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
