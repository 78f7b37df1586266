"""A bad request for every refusal that an operation documents, and what the service answers to it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from model.config import VARIANTS
from model.runtime import load_runtime
from server.app import create_app
from server.networks import ServedNetwork
from server.settings import Settings
from tests.networks import random_checkpoint
from tests.picture_files import blank_png, huge_png, picture
from tests.server.asking import Headers, asked

CLASSIFY, SAMPLE, RECORDING, STREAM = "/v1/classify", "/v1/samples/{name}", "/v1/recordings/{name}", "/v1/stream"
MODEL = "/v2/models/{name}"
INFER = MODEL + "/infer"
SEQUENCE_TARGET = "/v2/models/105x120-sequence/infer"
HOST = ("Host", "localhost")

# One specimen fails on purpose. Without a handler, logging would print the service's traceback as if it were news.
logging.getLogger("server").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Specimen:
    """A request that is refused.

    Attributes:
        code: with which.
        path: of the operation, as the OpenAPI document has it.
        target, method, headers, body: the request; the target is the path itself if not given.
        ends: whether the body does.
        before: bodies of requests to the same target before it.
        pause_s: between those and it.
        beside: a request without an end is under way.
        settings: of the service.
        broken: whether the networks fail.
    """

    code: str
    path: str = CLASSIFY
    target: str = ""
    method: str = "POST"
    headers: Headers = ()
    body: bytes = b""
    ends: bool = True
    before: tuple[bytes, ...] = ()
    pause_s: float = 0.0
    beside: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    broken: bool = False


class _Broken:
    """A runtime that fails."""

    def __init__(self, runtime: Any) -> None:
        self.config = runtime.config
        self.turn_bursts = runtime.turn_bursts

    def initial_hidden(self) -> None:
        raise RuntimeError("a fault on purpose")


def _form(*pictures: bytes) -> tuple[Headers, bytes]:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="street.jpg"\r\n\r\n'
    body = b"".join(head + content + b"\r\n" for content in pictures) + b"--b--\r\n"
    return [("Content-Type", "multipart/form-data; boundary=b")], body


def _infer(count: int, name: str = "frames", shape: tuple[int, ...] = (105, 120, 3), **parameters: Any) -> bytes:
    values = [0] * (count * int(np.prod(shape)))
    tensor = {"name": name, "shape": [count, *shape], "datatype": "UINT8", "data": values}
    return json.dumps({"parameters": parameters, "inputs": [tensor]}).encode()


def _burst(**parameters: Any) -> bytes:
    return _infer(1, "bursts", (5, 120, 3), sequence_id=7, **parameters)


STRANGER = ("Origin", "https://elsewhere.example")
SLOW = {"request_s": 0.5}
FULL = {"max_requests": 1}
GUARDED = {"bearer_token": "a-token"}
PNG = [("Content-Type", "image/png")]

SPECIMENS = (
    Specimen("bad_request", headers=[("Content-Type", "multipart/form-data")]),
    Specimen("unknown_variant", target=f"{CLASSIFY}?variant=64x64", body=picture()),
    Specimen("request_timeout", ends=False, settings=SLOW),
    Specimen("too_many_images", headers=_form()[0], body=_form(*[picture()] * 65)[1]),
    Specimen("request_too_large", headers=[("Content-Length", "70000000")]),
    Specimen("image_too_large", body=bytes(20_971_521)),
    Specimen("image_too_many_pixels", body=huge_png()),
    Specimen("unsupported_media_type", headers=[("Content-Type", "text/plain")]),
    Specimen("bad_option", target=f"{CLASSIFY}?top=0"),
    Specimen("bad_policy", target=f"{CLASSIFY}?policy=often", body=picture()),
    Specimen("no_images", headers=_form()[0], body=_form()[1]),
    Specimen("unreadable_image", body=picture()[:60]),
    Specimen("too_many_requests", beside=True, settings=FULL),
    Specimen("out_of_time", body=blank_png(7000), settings={"request_s": 0.2}),
    Specimen("unauthorized", settings=GUARDED),
    Specimen("forbidden_origin", headers=[STRANGER]),
    Specimen("internal", body=picture(), broken=True),
    Specimen("unknown_sample", SAMPLE, "/v1/samples/street.jpg", "GET"),
    Specimen("unknown_recording", RECORDING, "/v1/recordings/street.rsr", "GET"),
    Specimen("upgrade_required", STREAM, method="GET"),
    Specimen("bad_request", INFER, "/v2/models/105x120/infer", body=b"{"),
    Specimen("bad_tensor", INFER, "/v2/models/105x120/infer", body=_infer(1, shape=(5, 120, 3))),
    Specimen("unknown_model", INFER, "/v2/models/resnet/infer"),
    Specimen("unknown_model", MODEL, "/v2/models/resnet", "GET"),
    Specimen("unknown_sequence", INFER, SEQUENCE_TARGET, body=_burst()),
    Specimen("request_timeout", INFER, "/v2/models/105x120/infer", ends=False, settings=SLOW),
    Specimen("out_of_order", INFER, SEQUENCE_TARGET, body=_burst(sequence_start=True, burst_index=3)),
    Specimen(
        "sequence_expired", INFER, SEQUENCE_TARGET, body=_burst(), before=(_burst(sequence_start=True),), pause_s=0.05,
        settings={"sequence_idle_s": 0.02},
    ),
    Specimen(
        "sequence_in_use", INFER, SEQUENCE_TARGET, body=_burst(sequence_start=True),
        before=(_burst(sequence_start=True),),
    ),
    Specimen(
        "too_many_sequences", INFER, SEQUENCE_TARGET, settings={"max_sequences": 1},
        before=(_burst(sequence_start=True),),
        body=_infer(1, "bursts", (5, 120, 3), sequence_id=8, sequence_start=True),
    ),
    Specimen("too_many_images", INFER, "/v2/models/105x120/infer", body=_infer(3), settings={"max_images": 2}),
    Specimen("request_too_large", INFER, "/v2/models/105x120/infer", headers=[("Content-Length", "70000000")]),
    Specimen("unsupported_media_type", INFER, "/v2/models/105x120/infer", headers=[("Content-Encoding", "br")]),
    Specimen("bad_policy", INFER, "/v2/models/105x120/infer", body=_infer(1, policy="often")),
    Specimen("too_many_requests", INFER, "/v2/models/105x120/infer", beside=True, settings=FULL),
    Specimen("unauthorized", INFER, "/v2/models/105x120/infer", settings=GUARDED),
    Specimen("forbidden_origin", INFER, "/v2/models/105x120/infer", headers=[STRANGER]),
    Specimen("internal", INFER, "/v2/models/105x120/infer", body=_infer(1), broken=True),
)  # fmt: skip


@cache
def _networks() -> dict[str, ServedNetwork]:
    found = {}
    for name, config in VARIANTS.items():
        checkpoint = random_checkpoint(config, 1)
        found[name] = ServedNetwork(load_runtime(checkpoint), checkpoint.digest)
    return found


def answer_to(specimen: Specimen) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer of a service to a specimen."""

    async def answered() -> tuple[int, dict[str, Any]]:
        networks = _networks()
        if specimen.broken:
            networks = {
                name: ServedNetwork(_Broken(served.runtime), served.digest)  # type: ignore[arg-type]  # on purpose
                for name, served in networks.items()
            }
        with TemporaryDirectory() as folder:
            app = create_app(Settings(page_folder=Path(folder) / "none", **specimen.settings), networks)
            async with contextlib.AsyncExitStack() as held:
                await held.enter_async_context(app.router.lifespan_context(app))
                target, headers = specimen.target or specimen.path, [HOST, *specimen.headers]
                for body in specimen.before:
                    await asked(app, specimen.method, target, headers, body)
                await asyncio.sleep(specimen.pause_s)
                if specimen.beside:
                    beside = asyncio.ensure_future(asked(app, "POST", target, headers, ends=False))
                    held.callback(beside.cancel)
                    await asyncio.sleep(0.05)  # its beginning
                found = await asked(
                    app, specimen.method, target, headers, specimen.body, ends=specimen.ends, fails=specimen.broken
                )
            return found.status, found.json

    return asyncio.run(answered())
