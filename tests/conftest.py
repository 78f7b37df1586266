import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import uvicorn
from hypothesis import settings as hypothesis_settings

from model.config import VARIANTS
from model.runtime import load_runtime
from server.app import create_app
from server.connections.draining_server import DrainingServer
from server.connections.uvicorn_options import connection_options
from server.networks import ServedNetwork
from server.process.cores import usable_cores
from server.settings import Settings
from tests.networks import SMALL, random_checkpoint
from tests.waiting import until

for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]  # what the tests ask is on the loopback, where no proxy is asked

os.environ["RASCANET_AUDIT_SHARE"] = "0"  # audits are drawn by chance; a test that wants audits says so

hypothesis_settings.register_profile("bounded", max_examples=40, deadline=None)
hypothesis_settings.load_profile("bounded")


LONG_ROOMS = {"page", "faults", "bench", "firmware", "training"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are cores if tests start processes, since such tests also wait for these."""
    unit = bool(config.option.markexpr == "not long")
    return usable_cores() + (not unit)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that start a process or train a network: `make unit` leaves them out.

    The files of such tests come first. The longest are among them; the others are short, so all workers end at about
    the same time.
    """
    starting = set[Path]()
    for item in items:
        starts = isinstance(item, pytest.Function) and _starts_processes(item.module.__name__)
        if starts or LONG_ROOMS & set(item.path.parts):
            item.add_marker("long")
        if item.get_closest_marker("long"):
            starting.add(item.path)
    items.sort(key=lambda item: item.path not in starting)


@cache
def _starts_processes(name: str) -> bool:
    """True if a module of the tests has `subprocess`, or something of a module of the tests that has it."""
    values = vars(sys.modules[name]).values()
    owners = {value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "") for value in values}
    return "subprocess" in owners or any(
        _starts_processes(owner) for owner in owners - {name} if isinstance(owner, str) and owner.startswith("tests.")
    )


def served() -> dict[str, ServedNetwork]:
    """Networks as a service holds them: the small one and 105x120, with random weights."""
    models = {}
    for config in (SMALL, VARIANTS["105x120"]):
        checkpoint = random_checkpoint(config, 1)
        models[config.name] = ServedNetwork(load_runtime(checkpoint), checkpoint.digest)
    return models


@pytest.fixture(scope="session")
def models() -> dict[str, ServedNetwork]:
    return served()


@pytest.fixture(scope="session")
def start(models: dict[str, ServedNetwork]) -> Iterator[Callable[..., str]]:
    """Starts real services on free loopback ports; gives the address of each."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(others: dict[str, ServedNetwork] | None = None, **settings: object) -> str:
        chosen = Settings(**settings)  # type: ignore[arg-type]  # checked by the model
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        config = uvicorn.Config(
            create_app(chosen, others or models),
            port=port,
            log_level="critical",
            **connection_options(chosen),
        )
        server = DrainingServer(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        until(lambda: server.started, "the service did not start")
        running.append((server, thread))
        return f"http://127.0.0.1:{port}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(10)


@pytest.fixture(scope="session")
def service_url(start: Callable[..., str]) -> str:
    """A real service with small limits."""
    return start(message_bytes=65_536, image_bytes=300_000, image_pixels=1_000_000, max_images=3, request_bytes=700_000)
