"""Every limit, setting, message, error, close code and metric is on the page that is to list it, and nothing else is.

What there is comes from the code itself: the models, the settings, the registry, and what the sources raise and send.
"""

import ast
import importlib.util
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from model.exit_policy import DEFAULT_POLICY, NAMES, PERSON_FROM
from sensor_sim import wire
from server.__main__ import KINDS
from server.errors import REFUSALS, UNNAMED_CLOSES, CloseCode
from server.process.metrics import Metrics
from server.settings import PAGE_FOLDER, Limits, Settings
from server.stream.session import Phase
from tests.vectors import make_protocol, make_refusals

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
PROTOCOL = (ROOT / "PROTOCOL.md").read_text()
RUNNING = (ROOT / "docs" / "running.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
SOURCES = {
    path: ast.parse(path.read_text()) for path in [*(ROOT / "server").rglob("*.py"), ROOT / "sensor_sim/wire.py"]
}


def _section(text: str, title: str) -> str:
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _rows(section: str) -> list[list[str]]:
    """The cells of its tables, without their heads."""
    lines = section.splitlines()
    heads = {number - 1 for number, line in enumerate(lines) if line.startswith("|---")}
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for number, line in enumerate(lines)
        if line.startswith("| ") and number not in heads
    ]


def _first_cells(section: str) -> list[str]:
    return [found for row in _rows(section) for found in re.findall(r"^`([^`]+)`$", row[0].strip("| "))]


def test_policies() -> None:
    """PROTOCOL.md's table is generated; the guide says when to take which."""
    guide = (ROOT / "docs" / "early-exit.md").read_text()
    assert sorted(_first_cells(_section(guide, "Which policy?"))) == sorted(NAMES)


def test_the_recipe_for_a_policy_names_every_file_that_lists_all_policies() -> None:
    """Whatever lists all policies changes when one is added; figures are measured anew with new weights only."""
    recipe = next(line for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if "| an exit policy |" in line)
    folders = {path: path.relative_to(ROOT).parts[:-1] for path in FILES if path.suffix in (".py", ".ts", ".json")}
    made = [path for path, inside in folders.items() if "tests" not in inside or "vectors" in inside]
    listing = [path for path in [*PAGES, *made] if set(NAMES) <= set(re.findall(r"\w+", path.read_text()))]
    assert len(listing) >= 8
    assert not [path for path in listing if path.name not in recipe]


@pytest.mark.parametrize(("column", "variant"), [(1, "105x120"), (2, "210x240")])
def test_the_first_screens_figures_are_those_that_the_commands_wrote(column: int, variant: str) -> None:
    """Whoever writes new figures puts them into README's table."""
    first_screen = (ROOT / "README.md").read_text().partition("\n## ")[0]
    assert "for research use" in " ".join(first_screen.split())
    told = {cells[0]: cells[column] for cells in _lines(first_screen)}
    card = (
        (FIGURES / "model-card.md").read_text().partition(f"<!-- card test {variant} -->")[2].partition("<!-- end")[0]
    )
    speed = (FIGURES / "performance.md").read_text()
    step = next(
        cells for cells in _lines(speed.partition(f"**Step of {variant}, one stream**")[2]) if "native" in cells[0]
    )
    held = _lines(speed.partition("<!-- bench sustain -->")[2].partition("<!-- end")[0])
    boards = _lines(
        (ROOT / "docs" / "integer.md").read_text().partition("<!-- firmware sizes -->")[2].partition("<!-- end")[0]
    )
    streams, message = held[0].index("streams"), held[0].index("bursts a message")
    sustained = {row[1]: row[streams] for row in held if row[0] == variant and row[message] == "6"}
    processed = _row(card, "calibrated")[2].split(" / ")[0]
    memory = next(row[6] for row in boards if row[:2] == [variant, "Cortex-M4"])
    assert told == {
        "share of a frame's bursts that are processed, on held-out photographs, if a "
        "[certificate](docs/early-exit.md) lets exits change at most 5 % of the decisions": processed,
        "a burst on one core": f"{step[1]} us",
        "times as fast as the faster of ONNX Runtime and OpenVINO": step[5].split()[0],
        "real-time streams on one core (30 frames/s, 6 bursts a message)": sustained["this"],
        "the same with the integer weights": sustained["this, int8"],
        "weights, tables, arena and stack on a Cortex-M4, in integers, measured in QEMU": f"{memory} B",
        "balanced accuracy on held-out photographs": _row(card, "all")[2].split()[0],
    } | {"": variant}


def _lines(text: str) -> list[list[str]]:
    """The cells of all lines of tables, heads too."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| --")]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def _row(text: str, first: str) -> list[str]:
    return next(cells for cells in _lines(text) if cells[0].startswith(first))


@pytest.mark.parametrize("variant", ["105x120", "210x240"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_the_model_card_was_written_from_the_photographs(split: str, variant: str) -> None:
    """A trial of the command on a few pictures must not stay in the card."""
    text = (FIGURES / "model-card.md").read_text()
    block = text.partition(f"<!-- card {split} {variant} -->")[2].partition("<!-- end")[0]
    whole = next(row for row in _rows(block.replace("| ---", "|---")) if row[0].strip("| ") == "all")
    persons, others = whole[1].split(" + ")
    assert int(persons) > 250
    assert int(others) > 250


@pytest.mark.parametrize("page", ["MODEL_CARD.md", "docs/early-exit.md"])
def test_rows_that_a_page_quotes_stand_in_the_figures(page: str) -> None:
    quoted = re.findall(r"<!-- rows of (\S+) -->\n(.*?)<!-- end rows -->", (ROOT / page).read_text(), re.DOTALL)
    assert quoted
    for figures, block in quoted:
        _, *sections = re.split(r"^## ", (ROOT / figures).read_text(), flags=re.MULTILINE)
        for row in _rows(block):
            cells = [cell.strip() for cell in row if cell.strip()]
            whole = [section for section in sections if section.startswith(cells[0])] or sections
            values = {cell for cell in cells[1:] if cell != "held out" and not cell.startswith("`val`")}
            lines = [{cell.strip() for cell in line.split("|")} for section in whole for line in section.splitlines()]
            assert any(values <= line for line in lines), f"{page}: {row}"


def test_the_documentation_site_leads_to_every_page() -> None:
    config = yaml.safe_load((ROOT / "docs" / "site" / "mkdocs.yml").read_text())
    led = set(re.findall(r"'([^']+\.md)'", str(config["nav"])))
    pages = {path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]}
    assert pages <= led
    ours = {
        path.relative_to(ROOT / "docs" / "site").as_posix() for path in (ROOT / "docs" / "site").glob("reference/*.md")
    }
    assert led <= pages | ours | {"reference/javascript/README.md"}


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "site" / "reference").glob("*.md")), ids=lambda page: page.stem
)
def test_the_reference_names_modules_that_are_there(page: Path) -> None:
    for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE):
        assert importlib.util.find_spec(name) is not None


def test_the_threshold_for_a_person_is_told() -> None:
    assert make_protocol.meanings_of(wire.Decision)["person"] == f"whether `p_person` is at least {PERSON_FROM}."


@pytest.mark.parametrize("page", ["PROTOCOL.md", "docs/early-exit.md", "docs/http.md", "sensor_sim/wire.py"])
def test_the_default_policy_is_told_in_one_sentence(page: str) -> None:
    assert DEFAULT_POLICY in " ".join((ROOT / page).read_text().split())


@pytest.mark.parametrize(("section", "field"), [("Credits", "credits"), ("Resume", "token")])
def test_what_grants_credits_and_what_gives_tokens(section: str, field: str) -> None:
    text = _section(PROTOCOL, section)
    for name, kind in wire.TYPES.items():
        if issubclass(kind, wire.ServerMessage) and field in kind.__struct_fields__:
            assert f"`{name}`" in text or f"`{name}.{field}`" in text, name


def test_rows() -> None:
    section = _section(PROTOCOL, "Rows")
    offsets = [int(row[0].strip("| ")) for row in _rows(section) if row[0].strip("| ").isdigit() and row[1][0] == "u"]
    sizes = {"B": 1, "H": 2, "I": 4, "Q": 8}
    widths = [sizes[size] for size in wire.HEADER.format[1:]]
    assert offsets == [sum(widths[:field]) for field in range(len(widths))]
    assert f"header of {wire.HEADER.size} bytes" in section
    for pixel_format in wire.FORMATS:
        assert f"`{pixel_format}`" in section


@pytest.mark.parametrize("phase", Phase)
def test_phase(phase: Phase) -> None:
    assert f"| `{phase}` |" in PROTOCOL


@pytest.mark.parametrize("path", make_refusals.TABLES, ids=lambda path: path.name)
def test_refusals(path: Path) -> None:
    """The tables are what `make vectors` writes from the catalogue."""
    text = path.read_text()
    assert text == make_refusals.with_tables(text, make_refusals.TABLES[path])


def _raised() -> Iterator[str]:
    """The codes that errors are made with anywhere in the sources."""
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if name in ("ServiceError", "WireError") and isinstance(code := node.args[0], ast.Constant):  # type: ignore[attr-defined]
                yield str(code.value)


def test_every_code_in_the_sources_is_listed_and_the_other_way_round() -> None:
    raised, listed = set(_raised()), set(REFUSALS)
    assert raised <= listed
    text = "".join(path.read_text() for path in SOURCES if path.name != "errors.py")
    assert not [code for code in listed - raised if not re.search(rf'f?"(?:{code}|{code.split("_")[0]}_\{{)', text)]


def test_close_codes() -> None:
    assert set(UNNAMED_CLOSES) == set(CloseCode)
    bare = [
        node.value
        for path, tree in SOURCES.items()
        if path.parts[-2] == "stream" and path.name in ("connection.py", "conversation.py", "endpoint.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and 1000 <= node.value < 5000
    ]
    assert bare == []


FOLDERS = ("model", "sensor_sim", "server", "clients", "tests")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
FILES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*") if "node_modules" not in path.parts]
TEXTS = [*PAGES, *(path for path in FILES if path.suffix in (".py", ".ts", ".c", ".h", ".inc"))]
MENTIONED = Counter(found for path in TEXTS for found in re.findall(r"`([\w./]+)[^`\n]*`", path.read_text()))


def test_every_source_file_that_a_text_names_is_there() -> None:
    """By its path from the root, or by the end of it where the text says the folder."""
    ends = {"/".join(path.relative_to(ROOT).parts[start:]) for path in FILES for start in range(len(path.parts))}
    named = [name for name in MENTIONED if re.fullmatch(r"[\w/]+\.(?:py|c|h|inc|ts)", name)]
    assert len(named) > 50
    assert not [name for name in named if name not in ends]


def test_every_dotted_name_that_a_text_gives_is_there() -> None:
    """But extension modules, which are built where there is a compiler."""
    named = [name for name in MENTIONED if re.fullmatch(rf"(?:{'|'.join(FOLDERS)})(?:\.[A-Za-z]\w*)+", name)]
    named = [name for name in named if not re.search(r"\.(?:py|toml)$", name)]
    assert len(named) > 20
    for name in named:
        pkgutil.resolve_name(name)


MOST_WORDS = 2200


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_a_page_is_read_in_ten_minutes(page: Path) -> None:
    """At 220 words a minute; tables that a command writes are looked up, not read."""
    own = re.sub(r"<!-- (?!rows of )[^>]*-->\n.*?<!-- end[^>]*-->", "", page.read_text(), flags=re.DOTALL)
    count = len(re.findall(r"\S*\w\S*", own))
    assert count <= MOST_WORDS, (
        f"{page.name} has {count:,} words, and {MOST_WORDS:,} are allowed: cut {count - MOST_WORDS}, "
        "or move a section to a page of its own"
    )


def test_the_most_words_of_a_page_are_told() -> None:
    assert f"at most {MOST_WORDS:,} words" in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("name", Limits.model_fields)
def test_limit(name: str) -> None:
    assert name in Settings.model_fields
    assert f"`{name}`" in _section(PROTOCOL, "Limits"), f"PROTOCOL.md, Limits: a row for {name} is missing"


def test_every_bound_is_a_limit_that_clients_are_told() -> None:
    """What bounds a client is in `Limits`: all settings but those of the server's own house."""
    house = {
        "host", "port", "workers", "weights", "arithmetic", "page_folder", "runtime", "samples", "recordings",
        "audit_alpha", "audit_share", "audits_file", "certificate_alarm",
        "resume_key", "bearer_token", "bearer_token_file", "allowed_origins", "allowed_hosts", "trusted_proxies",
        "tls_certificate", "tls_key", "request_threads",
    }  # fmt: skip
    assert set(Settings.model_fields) == set(Limits.model_fields) | house, (
        "a setting that limits clients is a field of Limits too; any other is in `house`"
    )


def _told(name: str) -> str:
    """A setting's default as the page has it."""
    default = Settings.model_fields[name].default
    if default == PAGE_FOLDER:
        return "`clients/browser/dist`"
    assert not isinstance(default, SecretStr)
    return (
        "" if default is None or default == [] else f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    )


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting(name: str) -> None:
    rows = {row[0].strip("| `"): row[1:] for row in _rows(SETTINGS)}
    assert name in rows, f"docs/settings.md: a row for {name} is missing"
    assert rows[name] == [_told(name), str(Settings.model_fields[name].description)]


def test_no_other_settings() -> None:
    assert _first_cells(SETTINGS) == list(Settings.model_fields)


def test_settings_on_the_command_line() -> None:
    command = [sys.executable, "-m", "server", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in text
    kinds = set(re.findall(r"^  --[a-z-]+ (\S+)", text, re.MULTILINE))
    assert {kind for kind in kinds if not kind.startswith("{")} == {"LIST", *KINDS.values()}


def _metrics(registry: CollectorRegistry) -> dict[str, tuple[str, ...]]:
    """Name as scraped, and labels."""
    collectors = registry._collector_to_names
    return {
        family.name + ("_total" if family.type == "counter" else ""): collector._labelnames  # type: ignore[attr-defined]
        for collector in collectors
        for family in collector.describe()  # type: ignore[attr-defined]
    }


def test_metrics() -> None:
    rows = {row[0].strip("| `"): " ".join(row[1:]) for row in _rows(_section(RUNNING, "Metrics"))}
    metrics = _metrics(Metrics().registry)
    assert sorted(rows) == sorted(metrics)
    for name, labels in metrics.items():
        for label in labels:
            assert f"`{label}`" in rows[name]


def test_going_away_reasons() -> None:
    row = next(line for line in PROTOCOL.splitlines() if "| `reason` |" in line)
    reasons = {
        str(node.args[0].value)
        for tree in SOURCES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "leave"
        and isinstance(node.args[0], ast.Constant)
    }
    assert reasons == {"drain", "stream_s", "stream_frames"}
    assert all(f"`{reason}`" in row for reason in reasons)
