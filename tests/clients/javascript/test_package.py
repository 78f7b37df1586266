"""What `npm pack` makes is whole: the README's example runs, and a small project with Vite finds kernel and weights."""

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from clients.commands.ports import free_port
from model.checkpoint import WEIGHTS_FOLDER
from tests.clients.javascript.engines import MISSING, PACKAGE, ROOT, WITHOUT_CHROMIUM
from tests.page.serving import StaticHost, chromium, wait_for

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.long]

VITE = PACKAGE / "node_modules" / "vite" / "bin" / "vite.js"
TSC = PACKAGE / "node_modules" / "typescript" / "bin" / "tsc"
MAIN = """\
import { RemoteNetwork } from "rascanet-stream";
import { loadShipped } from "rascanet-stream/shipped";
const frame = { height: 105, width: 120, format: "rgb8", samples: new Uint8Array(105 * 120 * 3) };
const remote = new RemoteNetwork(new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
await remote.load({ shipped: "105x120_int8" });
const { network, policy } = await loadShipped("105x120");
const [there, here] = [await remote.scan(frame), network.config];
document.title = `${there.processed} of ${here.height / 5}, ${policy.wanted.name}`;
"""
LIMIT_S = 300
SHOWN_MS = 60_000
SHOWN = r"\d+ of 21, calibrated"


def _copy(folder: Path) -> Path:
    """The package's sources in a copy of the repository: packing builds, and other tests read the build meanwhile."""
    package = folder / PACKAGE.relative_to(ROOT)
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("node_modules", "dist", "weights"))
    (package / "node_modules").symlink_to(PACKAGE / "node_modules")
    for needed in ("model", "MODEL_CARD.md", "LICENSE"):
        (folder / needed).symlink_to(ROOT / needed)
    return package


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packed package in its node_modules, as `npm install FILE.tgz` puts it there."""
    folder = tmp_path_factory.mktemp("project")
    npm = shutil.which("npm")
    assert npm is not None
    packed = subprocess.run(
        [npm, "pack", "--json", "--pack-destination", str(folder)],
        cwd=_copy(tmp_path_factory.mktemp("repository")),
        check=True,
        capture_output=True,
        timeout=LIMIT_S,
    ).stdout
    # Whatever the scripts before it print, the list stands last.
    (entry,) = json.loads(packed[packed.index(b"[\n") :])
    with tarfile.open(folder / entry["filename"]) as archive:
        archive.extractall(folder / "node_modules", filter="data")
    (folder / "node_modules" / "package").rename(folder / "node_modules" / "rascanet-stream")
    (folder / "package.json").write_text(json.dumps({"name": "project", "private": True, "type": "module"}))
    return folder


def test_the_packed_weights_are_the_shipped_files(project: Path) -> None:
    packed = project / "node_modules" / "rascanet-stream" / "weights"
    shipped = {path.name.removeprefix("rascanet_"): path.read_bytes() for path in WEIGHTS_FOLDER.glob("rascanet_*")}
    found = {path.name: path.read_bytes() for path in packed.iterdir() if path.name != "MODEL_CARD.md"}
    assert found == shipped


def the_example() -> str:
    """The program of five lines that three pages show."""
    pages = (PACKAGE / "README.md", ROOT / "README.md", ROOT / "docs" / "javascript.md")
    (example,) = {found for page in pages for found in re.findall(r"```js\n(.*?)```", page.read_text(), re.DOTALL)}
    assert len(example.splitlines()) == 5
    return str(example)


def test_the_readmes_example_runs_in_node(project: Path) -> None:
    (project / "example.js").write_text(the_example())
    said = subprocess.run(["node", "example.js"], cwd=project, check=True, capture_output=True, timeout=LIMIT_S)
    assert said.stdout.decode().strip() == "false"


def test_its_types_serve_a_strict_project(project: Path) -> None:
    (project / "example.ts").write_text(the_example())
    (project / "typed.ts").write_text(
        'import { HttpClient, type PictureDecision, type ScannedFrame, scanFrame } from "rascanet-stream";\n'
        'import { loadShipped } from "rascanet-stream/shipped";\n'
        'const { network, policy } = await loadShipped("210x240");\n'
        "export const seen = (samples: Uint8Array<ArrayBuffer>): ScannedFrame =>\n"
        '  scanFrame(network, { height: 210, width: 240, format: "rgb8", samples }, policy);\n'
        'export const client = new HttpClient("http://127.0.0.1:8000");\n'
        "export const p = (decision: PictureDecision): number => decision.p_person;\n"
        "// @ts-expect-error there is no such network\n"
        'await loadShipped("1x1");\n'
    )
    options = [
        "--strict",
        "--noEmit",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--lib",
        "es2022,dom",
        "--types",
        "",
    ]
    checked = subprocess.run(
        ["node", str(TSC), *options, "typed.ts", "example.ts"],
        cwd=project,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout.decode()


@pytest.fixture
def small_project(project: Path) -> Path:
    """The project with a page and a worker of ten lines."""
    (project / "main.js").write_text(MAIN)
    (project / "worker.js").write_text('import "rascanet-stream/worker";\n')
    (project / "index.html").write_text('<!doctype html><script type="module" src="/main.js"></script>\n')
    return project


def title_at(url: str) -> str:
    """The title that the project's page gives itself once it has scanned."""
    with chromium() as browser:
        page = browser.new_page()
        page.goto(url)
        page.wait_for_function("() => document.title !== ''", timeout=SHOWN_MS)
        return page.title()


@pytest.mark.skipif(bool(WITHOUT_CHROMIUM), reason=WITHOUT_CHROMIUM)
def test_a_build_of_vite_finds_kernel_and_weights(small_project: Path) -> None:
    build = ["node", str(VITE), "build", "--base", "./", "--target", "es2022", "--logLevel", "error"]
    built = subprocess.run(build, cwd=small_project, capture_output=True, timeout=LIMIT_S, check=False)
    assert built.returncode == 0, built.stderr.decode()
    assert {path.suffix for path in (small_project / "dist" / "assets").iterdir()} >= {".wasm", ".safetensors"}
    host = StaticHost(small_project)
    try:
        assert re.fullmatch(SHOWN, title_at(f"{host.url}/dist/"))
    finally:
        host.stop()


@pytest.mark.skipif(bool(WITHOUT_CHROMIUM), reason=WITHOUT_CHROMIUM)
def test_vites_own_server_finds_them_too(small_project: Path) -> None:
    """It moves the package's code to another folder, which is where other packages' files get lost."""
    port = free_port()
    serve = ["node", str(VITE), "--host", "127.0.0.1", "--port", str(port), "--strictPort", "--logLevel", "error"]
    server = subprocess.Popen(serve, cwd=small_project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/", server)
        assert re.fullmatch(SHOWN, title_at(f"http://127.0.0.1:{port}/"))
    finally:
        server.terminate()
        server.wait(10)
