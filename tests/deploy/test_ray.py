"""The manifest of a job on KubeRay: valid, and true of the command that it runs."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml
from typer.main import get_command

from clients.commands.main import app
from tests.deploy.test_kubernetes import VERSIONS

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "ray" / "job.yaml"
JOB, POLICY = yaml.safe_load_all(FILE.read_text())
CLUSTER = JOB["spec"]["rayClusterSpec"]
GROUPS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]
STAGE = (ROOT / "Dockerfile").read_text().split(" AS ray\n")[1].split("\nFROM")[0]
LEAST_MEMORY_GI = 2
"""Of a node: the processes with the network take one, Ray's own another."""


def _check(job: dict[str, Any]) -> None:
    schema = Path(__file__).parent / "schemas" / "RayJob.json"
    jsonschema_rs.validator_for(json.loads(schema.read_text())).validate(job)


def test_the_job_is_valid() -> None:
    _check(JOB)
    for place in ("spec", "spec.rayClusterSpec", "spec.rayClusterSpec.headGroupSpec"):
        wrong = json.loads(json.dumps(JOB))
        inner = wrong
        for name in place.split("."):
            inner = inner[name]
        inner["replicsa"] = 3
        with pytest.raises(jsonschema_rs.ValidationError):
            _check(wrong)


@pytest.mark.parametrize("version", VERSIONS)
def test_its_pods_are_valid(version: str) -> None:
    kubernetes_validate.validate(POLICY, version, strict=True)
    for group in GROUPS:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}} | group["template"]
        kubernetes_validate.validate(pod | {"metadata": {"name": "one"} | pod["metadata"]}, version, strict=True)


def test_the_command_is_one() -> None:
    command = get_command(app)
    arguments = shlex.split(JOB["spec"]["entrypoint"].split("||")[0])
    assert arguments[:2] == ["rascanet", "classify"]
    context = command.make_context("rascanet", arguments[1:], resilient_parsing=True)
    classify = command.get_command(context, "classify")  # type: ignore[attr-defined] # it is a group
    given = classify.make_context("classify", arguments[2:], parent=context).params
    assert given["engine"] == "ray"
    assert given["resume"], "another cluster goes on with the run"
    assert given["out"].startswith("s3://")
    assert given["manifest"][0].startswith("s3://")


def test_it_tries_again_unless_pictures_alone_were_at_fault() -> None:
    from clients.commands.console import SOME_FAILED

    assert JOB["spec"]["backoffLimit"] > 0
    assert JOB["spec"]["entrypoint"].endswith(f"|| test $? -eq {SOME_FAILED}")


def test_versions_and_names_agree() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    assert CLUSTER["rayVersion"] == pinned["ray"]
    assert re.findall(r"KubeRay (\d+(?:\.\d+)+)", FILE.read_text().splitlines()[0]) == re.findall(
        r"KubeRay (\d+(?:\.\d+)+)", (ROOT / "docs" / "scaling.md").read_text()
    )
    for group in GROUPS:
        (container,) = group["template"]["spec"]["containers"]
        assert container["image"].split("/")[-1] == "rascanet-ray:0.1.0"


def test_pods_have_no_rights() -> None:
    for group in GROUPS:
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsUser"] == int(*re.findall(r"^USER (\d+)$", STAGE, re.MULTILINE))
        assert not pod["automountServiceAccountToken"]
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        written = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {"/tmp", "/dev/shm"} <= written, "Ray writes there"  # noqa: S108 - within a pod
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]


def test_ray_is_reached_by_its_own_pods_and_operator_alone() -> None:
    selected = POLICY["spec"]["podSelector"]["matchLabels"]
    assert all(group["template"]["metadata"]["labels"] == selected for group in GROUPS)
    (rule,) = POLICY["spec"]["ingress"]
    pods, operator = rule["from"]
    assert pods == {"podSelector": {"matchLabels": selected}}
    assert operator["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kuberay-operator"}
    assert JOB["spec"]["submissionMode"] == "HTTPMode", "no further pod hands the job in"
    assert CLUSTER["authOptions"] == {"mode": "token"}


def test_a_node_fits_its_work() -> None:
    head, workers = GROUPS
    assert head["rayStartParams"]["num-cpus"] == "0"
    (container,) = workers["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == workers["rayStartParams"]["num-cpus"]
    assert "cpu" not in container["resources"]["limits"]
    for group in GROUPS:
        (container,) = group["template"]["spec"]["containers"]
        memory = container["resources"]["requests"]["memory"]
        assert int(memory.removesuffix("Gi")) >= LEAST_MEMORY_GI
