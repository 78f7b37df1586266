import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from server.settings import Settings

ROOT = Path(__file__).parents[2]
TEXTS = ("docs/*.md", "deploy/*", "docker-compose.yml", "Makefile", "clients/commands/**/*.py", "model/**/*.py")
"""Files that name environment variables of this project."""


def test_lists_are_given_as_the_help_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    example = re.search(r"Lists are JSON, such as (RASCANET_WEIGHTS)='(.*)'", Settings.__doc__ or "")
    assert example
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/w.safetensors").write_bytes(b"weights")
    monkeypatch.setenv(*example.groups())
    assert Settings().weights == [Path("mine/w.safetensors")]


def test_resume_keys_stand_beside_each_other_in_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().resume_keys == []
    new, old = "n" * 32, "o" * 40
    for text in (f"{new} {old}", f" {new}\n{old}\n"):  # a file with a key a line is such a text too
        monkeypatch.setenv("RASCANET_RESUME_KEY", text)
        assert Settings().resume_keys == [new.encode(), old.encode()]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (" ", "32 characters or more"),
        (f"{'n' * 32} {'o' * 31}", "32 characters or more"),
        (f"{'n' * 32} {'n' * 32}", "each once"),
        (" ".join(str(number) * 32 for number in range(9)), "up to 8 keys"),
    ],
)
def test_resume_keys_that_cannot_be(keys: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        Settings(resume_key=SecretStr(keys))
    assert keys.strip() == "" or keys not in str(caught.value)


def test_a_mistyped_variable_is_found_and_no_other_is_taken_for_one() -> None:
    text = "\n".join(path.read_text() for each in TEXTS for path in ROOT.glob(each) if path.is_file())
    named = set(re.findall(r"RASCANET_[A-Z][A-Z0-9_]*[A-Z0-9]", text))
    assert {"RASCANET_MQTT_USER", "RASCANET_LISTEN_PORT", "RASCANET_MAX_STREAMS"} <= named
    # Kubernetes makes the last ones from a Service.
    for name in (*named, "RASCANET_SERVICE_HOST", "RASCANET_SERVICE_PORT_HTTP", "RASCANET_PORT_80_TCP_ADDR", "PATH"):
        assert Settings.meant_by(name) is None, name
    for field in Settings.model_fields:
        if len(field) > 5:
            assert Settings.meant_by(f"RASCANET_{field[:-2]}{field[-1]}".upper()) == f"RASCANET_{field}".upper()
