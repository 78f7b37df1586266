"""A certificate that is watched while a real service uses it."""

import json
import math
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import numpy.typing as npt
import pytest
from prometheus_client.parser import text_string_to_metric_families

from clients.python.client import Client
from model.certificate import certificate_beside
from model.checkpoint import load_checkpoint, save_checkpoint
from model.exit_policy import NeverExitPolicy, PerBurstPolicy
from model.risk_monitor import log_evidence
from model.runtime import load_runtime
from model.scan import scan_frame
from model.training.kind_metrics import COVER_GREY, frames_of_kind
from model.training.outcomes import losses, read_curves, replay
from model.training.photos import load_frames, read_photos
from sensor_sim.burst import Frame
from sensor_sim.clock import VirtualClock
from sensor_sim.wire import Decision
from server.networks import ServedNetwork, load_networks
from server.process.audits_file import read_counts
from server.settings import Settings
from tests.networks import SMALL, random_checkpoint
from tests.server.certificates import certificate_of
from tests.server.stream.sessions import frame_of
from tests.service_process import service_process

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"
PICTURES = [
    ("105x120", "ideal", 150),
    ("105x120", "night", 60),
    ("105x120", "covered", 150),
    ("210x240", "ideal", 60),
    ("210x240", "covered", 150),
]
"""The network, the kind and the number of pictures that are streamed."""
ALPHA = Settings.model_fields["audit_alpha"].default


def _stream(url: str, variant: str, frames: list[Frame], most: int | None = None) -> list[Decision]:
    with Client(url, variant, clock=VirtualClock()) as client:
        return [client.emit(frame).decision for frame in frames[:most]]


def _watch(url: str) -> dict[str, Any]:
    (watch,) = (model["watch"] for model in httpx2.get(f"{url}/v1/models").json()["models"] if model["watch"])
    assert isinstance(watch, dict)
    return watch


def _metrics(url: str) -> dict[tuple[str, str], float]:
    """Samples of what tells about certificates, by name and outcome."""
    return {
        (sample.name, sample.labels.get("outcome", "")): sample.value
        for family in text_string_to_metric_families(httpx2.get(f"{url}/metrics").text)
        for sample in family.samples
        if "audits" in sample.name or "certifi" in sample.name
    }


def _lost_frames(count: int) -> list[Frame]:
    """Frames that the small network decides otherwise at its first burst than at its last."""
    runtime = load_runtime(random_checkpoint(SMALL, 0))
    at_once, never = PerBurstPolicy(0.5, 0.5, 0.5, 0.5), NeverExitPolicy()
    frames = (frame_of(seed) for seed in range(1000))
    return list(
        islice(
            (
                frame
                for frame in frames
                if scan_frame(runtime, frame, at_once).person != scan_frame(runtime, frame, never).person
            ),
            count,
        )
    )


def test_workers_watch_together_and_an_alarm_outlives_a_restart(tmp_path: Path) -> None:
    """Each connection may be another worker's; four frames in a row whose exits are lost are enough."""
    weights, kept, log = tmp_path / "w.safetensors", tmp_path / "audits.json", tmp_path / "log"
    save_checkpoint(random_checkpoint(SMALL, 0), weights)
    digest = certificate_of(load_checkpoint(weights)).digest
    certificate_of(load_checkpoint(weights)).save(certificate_beside(weights))
    options = [
        "--weights", json.dumps([str(weights)]), "--audit-share", "1", "--audits-file", str(kept),
        "--certificate-alarm", "drop",
    ]  # fmt: skip
    with log.open("wb") as lines, service_process(*options, "--workers", "2", log=lines) as (url, service):
        decisions = [each for frame in _lost_frames(12) for each in _stream(url, SMALL.name, [frame])]
        assert decisions[0].certificate == digest
        assert all(decision.audit for decision in decisions)
        watch, metrics = _watch(url), _metrics(url)
        assert (watch["agreed"], watch["lost"], watch["unsent"], watch["alarm"]) == (0, 12, 0, True)
        assert watch["log10_evidence"] > 2
        assert watch["risk_upper"] == 1
        assert metrics["rascanet_audits_total", "lost"] == watch["lost"]
        assert metrics["rascanet_certificate_evidence", ""] == pytest.approx(watch["log10_evidence"])
        assert metrics["rascanet_certificate_alarm", ""] == 1
        for _ in range(100):  # the other worker hears of the alarm at its next look at the counts
            promised = _stream(url, SMALL.name, [frame_of(0)] * 3)[-1].certificate
            if not promised:
                break
        assert promised == "", "the promise is dropped"
        service.send_signal(signal.SIGTERM)
        assert service.wait(30) == 0
    assert log.read_text().count("does not hold for the pictures that come") == 1
    assert read_counts(kept)[digest].lost >= watch["lost"]
    before = read_counts(kept)[digest]
    with service_process(*options) as (url, service):
        assert _watch(url)["alarm"]
        assert _stream(url, SMALL.name, _lost_frames(1))[0].certificate == ""
        service.send_signal(signal.SIGTERM)
        assert service.wait(30) == 0
    assert read_counts(kept)[digest] == before._replace(lost=before.lost + 1), "one process keeps its counts too"


def _covered(frames: npt.NDArray[np.uint8], served: ServedNetwork) -> npt.NDArray[np.uint8]:
    """Covers the rows until the certified policy lets a frame go that shows nothing but cover."""
    assert served.certified is not None
    blank = scan_frame(served.runtime, np.full_like(frames[0], COVER_GREY), served.certified)
    assert blank.exited
    shown = frames.copy()
    shown[:, : (blank.last_burst + 1) * served.runtime.config.BURST_ROWS] = COVER_GREY
    return shown


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not here")
def test_the_alarm_is_raised_exactly_where_the_pictures_refute_the_promise(start: Callable[..., str]) -> None:
    """Each kind of picture is streamed; what the service counts and concludes is what follows from its frames."""
    photos, networks = read_photos(PHOTOS, "val"), load_networks(Settings())
    alarms = {}
    for variant, kind, most in PICTURES:
        served = networks[variant]
        policy = served.certified
        assert policy is not None
        some = replace(photos, photos=photos.photos[:most])
        frames = load_frames(some, served.runtime.config.height, served.runtime.config.width)
        shown = _covered(frames, served) if kind == "covered" else frames_of_kind(kind, frames)
        curves = read_curves(served.runtime, shown, some)
        lost = losses(replay(policy, curves), curves, "disagreement")
        evidence = log_evidence(np.arange(1, len(lost) + 1), lost.cumsum(), policy.risk)
        url = start({variant: served}, audit_share=1.0)
        _stream(url, variant, list(shown))
        watch = _watch(url)
        assert (watch["agreed"], watch["lost"]) == (len(lost) - lost.sum(), lost.sum()), kind
        assert watch["log10_evidence"] == pytest.approx(evidence[-1] / math.log(10)), kind
        alarms[variant, kind] = watch["alarm"]
        assert watch["alarm"] is bool((evidence >= -math.log(ALPHA)).any()), kind
    for variant in networks:
        assert not alarms[variant, "ideal"], "pictures of the kind that the certificate was made with keep its promise"
        assert any(alarms[each] for each in alarms if each[0] == variant), "too many exits of one kind are lost"
