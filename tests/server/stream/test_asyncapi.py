import copy
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
import yaml

from sensor_sim.wire import TYPES, ClientMessage, Rows, encode
from server.errors import closing
from server.stream.asyncapi import document
from tests.vectors.make_asyncapi import PATH, text
from tests.vectors.make_wire import MESSAGES

SCHEMA = Path(__file__).parent / "asyncapi-3.0.0.schema.json"
"""Of the AsyncAPI initiative (Apache-2.0), package @asyncapi/specs."""


def _check(path: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(SCHEMA), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_file_is_what_the_models_say() -> None:
    assert PATH.read_text() == text(), "write it anew with `make vectors`"


def test_it_is_asyncapi() -> None:
    result = _check(PATH)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_check_finds_mistakes(tmp_path: Path) -> None:
    wrong: dict[str, Any] = copy.deepcopy(document())
    wrong["operations"]["end"]["action"] = "shout"
    path = tmp_path / "asyncapi.yaml"
    path.write_text(yaml.safe_dump(wrong))
    assert _check(path).returncode != 0


def test_it_names_every_message_and_close_code() -> None:
    described = document()
    names = {*TYPES, "rows"}
    channel = described["channels"]["stream"]
    assert set(channel["messages"]) == set(described["components"]["messages"]) == names
    used = {
        reference["$ref"].rpartition("/")[2]
        for operation in described["operations"].values()
        for reference in operation["messages"] + operation.get("reply", {}).get("messages", [])
    }
    assert used == names
    assert channel["x-close-codes"] == {refusal.code: refusal.close_code for refusal in closing()}


@pytest.mark.parametrize("name", [name for name, message in MESSAGES.items() if not isinstance(message, Rows)])
def test_what_is_said_fits_its_schema(name: str) -> None:
    described, message = document(), MESSAGES[name]
    schema = {"$ref": f"#/components/schemas/{type(message).__name__}", "components": described["components"]}
    said = yaml.safe_load(encode(message))
    jsonschema_rs.validate(schema, said)
    with pytest.raises(jsonschema_rs.ValidationError) if isinstance(message, ClientMessage) else nullcontext():
        jsonschema_rs.validate(schema, said | {"no_such_field": 1})


def test_a_running_service_has_it(service_url: str) -> None:
    assert httpx2.get(f"{service_url}/asyncapi.json").json() == document()
