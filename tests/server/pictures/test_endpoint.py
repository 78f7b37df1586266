import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
import psutil
import pytest
from starlette.testclient import TestClient

from model.budget import budget
from model.exit_policy import PublishedPolicy
from model.picture import decode_frame
from model.scan import scan_frame
from server.app import create_app
from server.networks import ServedNetwork
from server.pictures import classify
from server.settings import Settings
from tests.conftest import served
from tests.networks import SMALL, person_curve
from tests.picture_files import animation, grey_16_bit, huge_png, picture

NDJSON = {"accept": "application/x-ndjson"}


def _classify(url: str, *images: bytes, fields: dict[str, str] | None = None, **query: Any) -> httpx2.Response:
    headers = query.pop("headers", None)
    files = [("files", (f"{index}.png", image)) for index, image in enumerate(images)]
    params = {"variant": SMALL.name, **query}
    return httpx2.post(f"{url}/v1/classify", files=files, data=fields, params=params, headers=headers, timeout=20)


def _raw(url: str, content: bytes, kind: str = "image/png", **query: Any) -> httpx2.Response:
    params = {"variant": SMALL.name, **query}
    return httpx2.post(f"{url}/v1/classify", content=content, params=params, headers={"content-type": kind}, timeout=20)


def test_classify_agrees_with_the_scan_of_the_frame(service_url: str, models: dict[str, ServedNetwork]) -> None:
    images = [picture(seed) for seed in range(3)]
    answer = _classify(service_url, *images, exit_threshold=0.6, skip_threshold=0.3)
    assert answer.status_code == 200
    assert answer.json()["policy"] == {"name": "published", "exit_threshold": 0.6, "skip_threshold": 0.3}
    assert answer.json()["weights"] == models[SMALL.name].digest
    for index, (image, result) in enumerate(zip(images, answer.json()["results"], strict=True)):
        frame = decode_frame(image, SMALL.height, SMALL.width)
        scan = scan_frame(models[SMALL.name].runtime, frame, PublishedPolicy(0.6, 0.3))
        assert (result["index"], result["name"]) == (index, f"{index}.png")
        assert result["p_person"] == pytest.approx(scan.p_person, abs=1e-6)
        for field in ("processed", "skipped", "unread", "person", "exited", "processed_ratio"):
            assert result[field] == getattr(scan, field)
        assert result["burst_index"] == scan.last_burst
        assert result["macs"] == scan.processed * budget(SMALL).macs_per_burst
        assert result["elapsed_us"] > 0
        assert "curve" not in result


def test_the_time_of_a_first_picture_begins_once_its_decoder_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """To start a process takes a hundred times as long as a small picture."""
    before = psutil.Process().children()
    ready: list[bool] = []

    def clock_ns() -> int:
        started = [each for each in psutil.Process().children() if each not in before]
        # The last thing that a decoder loads.
        ready.append(any("PIL/_webp" in each.path for process in started for each in process.memory_maps()))
        return time.perf_counter_ns()

    monkeypatch.setattr(classify, "perf_counter_ns", clock_ns)
    with TestClient(create_app(Settings(), served()), "http://localhost") as client:
        assert client.post("/v1/classify", content=picture()).status_code == 200
    assert ready == [True, True]


@pytest.mark.parametrize("query", ["", "&top=2"])
def test_pictures_of_a_client_that_left_are_given_up(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decided: list[str] = []
    whole = classify.classify_picture

    def counting(*arguments: Any, **options: Any) -> Any:
        decided.append(options["name"])
        return whole(*arguments, **options)

    monkeypatch.setattr("server.pictures.endpoint.classify_picture", counting)
    count = 20
    parts = httpx2.Request(
        "POST", "http://localhost", files=[("files", (f"{n}.png", picture(n))) for n in range(count)]
    )
    said = [{"type": "http.request", "body": parts.read(), "more_body": False}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return said.pop(0) if len(said) > 1 else said[0]

    async def send(_message: Any) -> None:
        pass

    async def leave() -> None:
        app = create_app(Settings(request_threads=1), served())
        scope = {
            "type": "http", "method": "POST", "path": "/v1/classify", "raw_path": b"/v1/classify",
            "query_string": f"variant={SMALL.name}{query}".encode(), "client": ("127.0.0.1", 1), "scheme": "http",
            "headers": [(b"host", b"localhost"), (b"content-type", parts.headers["content-type"].encode())],
        }  # fmt: skip
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)

    asyncio.run(leave())
    assert 1 <= len(decided) <= 3


def test_a_curve_has_p_person_after_each_burst(service_url: str, models: dict[str, ServedNetwork]) -> None:
    image = picture()
    frame = decode_frame(image, SMALL.height, SMALL.width)
    expected = person_curve(models[SMALL.name].runtime, frame)
    [result] = _classify(service_url, image, policy="never", reports="curve").json()["results"]
    assert result["curve"] == pytest.approx(expected, abs=1e-6)
    # every other burst is skipped where P(person) never leaves the range of the threshold
    [result] = _classify(service_url, image, exit_threshold=1, skip_threshold=0.999999, reports="curve").json()[
        "results"
    ]
    assert [chance is None for chance in result["curve"]] == [False, True, False, True, False]
    assert (result["processed"], result["skipped"]) == (3, 3)


def test_the_options_may_be_form_fields(service_url: str) -> None:
    fields = {"policy": '{"name": "published", "exit_threshold": 0.7}', "reports": "curve", "skip_threshold": "0.1"}
    answer = _classify(service_url, picture(), fields=fields, policy="never").json()
    assert answer["policy"] == {"name": "published", "exit_threshold": 0.7, "skip_threshold": 0.1}
    assert "curve" in answer["results"][0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_every_format_by_itself_as_the_body(service_url: str, models: dict[str, ServedNetwork], kind: str) -> None:
    content = picture(kind=kind)
    frame = decode_frame(content, SMALL.height, SMALL.width)
    expected = person_curve(models[SMALL.name].runtime, frame)[-1]
    for media_type in (f"image/{kind.lower()}", "application/octet-stream"):
        [result] = _raw(service_url, content, media_type, policy="never", name="a").json()["results"]
        assert result["name"] == "a"
        assert result["p_person"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(service_url: str, models: dict[str, ServedNetwork], kind: str) -> None:
    expected = person_curve(models[SMALL.name].runtime, np.full(SMALL.frame_shape, 255, np.uint8))[-1]
    [result] = _raw(service_url, animation(kind), policy="never").json()["results"]
    assert result["p_person"] == pytest.approx(expected, abs=1e-6)


def test_sixteen_bits_and_transparency_are_taken(service_url: str) -> None:
    for content in (grey_16_bit(), picture(mode="RGBA"), picture(mode="LA"), picture(kind="JPEG", mode="CMYK")):
        assert _raw(service_url, content).status_code == 200


def test_one_unreadable_image_leaves_the_others_alone(service_url: str) -> None:
    results = _classify(service_url, picture(), b"nothing", picture()).json()["results"]
    assert [result.get("code") for result in results] == [None, "unreadable_image", None]
    assert [result["index"] for result in results] == [0, 1, 2]


def test_top_keeps_the_order(service_url: str) -> None:
    images = [picture(seed) for seed in range(3)]
    every = _classify(service_url, *images).json()["results"]
    expected = sorted(sorted(range(3), key=lambda index: -every[index]["p_person"])[:2])
    assert [each["index"] for each in _classify(service_url, *images, top=2).json()["results"]] == expected
    lines = _classify(service_url, *images, top=2, headers=NDJSON).text.splitlines()
    assert [json.loads(line)["index"] for line in lines] == expected


def test_lines_come_as_results_do(service_url: str) -> None:
    answer = _classify(service_url, picture(), b"nothing", picture(1), headers=NDJSON)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert sorted(line["index"] for line in lines) == [0, 1, 2]
    assert {line["index"]: line.get("code") for line in lines}[1] == "unreadable_image"
    [line] = _classify(service_url, b"nothing", headers=NDJSON).text.splitlines()
    assert json.loads(line)["code"] == "unreadable_image"


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"", 422, "unreadable_image"),
        (b"GIF89a", 422, "unreadable_image"),
        (picture()[:60], 422, "unreadable_image"),
        (picture(kind="JPEG")[:-200], 422, "unreadable_image"),
        (picture(kind="ICO"), 422, "unreadable_image"),
        (huge_png(), 413, "image_too_many_pixels"),
        (picture(size=(1100, 1000))[:200_000], 413, "image_too_many_pixels"),
        (b"\xff\xd8" + bytes(400_000), 413, "image_too_large"),
    ],
)
def test_image_refused(service_url: str, image: bytes, status: int, code: str) -> None:
    for answer in (_classify(service_url, image), _raw(service_url, image)):
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("images", "query", "status", "code"),
    [
        ([b"x"] * 4, {}, 413, "too_many_images"),
        ([bytes(240_000)] * 3, {}, 413, "request_too_large"),
        ([b"x"], {"variant": "1x1"}, 404, "unknown_variant"),
        ([b"x"], {"policy": "other"}, 422, "bad_policy"),
        ([b"x"], {"policy": "{"}, 422, "bad_policy"),
        ([b"x"], {"exit_threshold": 7}, 422, "bad_policy"),
        ([b"x"], {"exit_threshold": "x"}, 422, "bad_option"),
        ([b"x"], {"reports": "all"}, 422, "bad_option"),
        ([b"x"], {"top": 0}, 422, "bad_option"),
        ([b"x"], {"tpo": 1}, 422, "bad_option"),
        ([b"x"], {"fields": {"exit_threshold": "x"}}, 422, "bad_option"),
        ([b"x"], {"fields": {"other": "x"}}, 422, "bad_option"),
        ([b"x"], {"fields": {"policy": ["never", "published"]}}, 422, "bad_option"),
        ([b"x"], {"fields": {"policy": "x" * 5000}}, 400, "bad_request"),
    ],
)
def test_request_refused(service_url: str, images: list[bytes], query: dict[str, Any], status: int, code: str) -> None:
    answer = _classify(service_url, *images, **query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_option_is_answered_with_those_that_there_are(service_url: str) -> None:
    answer = _raw(service_url, picture(), polcy="never")
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "there is no option 'polcy'; there is exit_threshold, name, policy, reports, skip_threshold, top, variant"
    )


def test_body_without_length_is_bounded_too(service_url: str) -> None:
    head = b'--b\r\ncontent-disposition: form-data; name="files"; filename="a"\r\n\r\n'
    parts = (part for part in [head, *[bytes(50_000)] * 20, b"\r\n--b--\r\n"])
    answer = httpx2.post(
        f"{service_url}/v1/classify",
        content=parts,
        headers={"content-type": "multipart/form-data; boundary=b"},
        timeout=20,
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_bodies_are_bounded_together_and_room_comes_back(start: Callable[..., str]) -> None:
    url = start(request_bytes=100_000, bodies_bytes=150_000)
    held, go_on = threading.Event(), threading.Event()
    headers = {"content-type": "image/png"}

    def most_of_the_room() -> Any:
        yield bytes(90_000)
        held.set()
        go_on.wait(20)

    def ask(content: Any) -> httpx2.Response:
        return httpx2.post(f"{url}/v1/classify", content=content, headers=headers, timeout=20)

    first: list[httpx2.Response] = []
    slow = threading.Thread(target=lambda: first.append(ask(most_of_the_room())))
    slow.start()
    assert held.wait(20)
    deadline = time.monotonic() + 20
    while (answer := ask(bytes(90_000))).status_code != 429:  # what was sent may not have come yet
        assert time.monotonic() < deadline
    assert answer.json()["code"] == "too_many_requests"
    assert int(answer.headers["retry-after"]) > 0
    assert ask(iter([bytes(90_000)])).status_code == 429  # not announced
    assert ask(picture()).status_code == 200
    go_on.set()
    slow.join(20)
    assert first[0].json()["code"] == "unreadable_image"
    assert ask(bytes(90_000)).json()["code"] == "unreadable_image"


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{}", "application/json", 415, "unsupported_media_type"),
        (b"PDF", "application/pdf", 415, "unsupported_media_type"),
        (b"nonsense", "multipart/form-data; boundary=b", 400, "bad_request"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 422, "no_images"),
        (b"nonsense", "multipart/form-data", 400, "bad_request"),
    ],
)
def test_a_body_of_another_kind(service_url: str, content: bytes, kind: str, status: int, code: str) -> None:
    answer = _raw(service_url, content, kind)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "kind",
    ["image/jpg", "image/pjpeg", "image/*", "image/png; q=1", "IMAGE/PNG", "", "*/*", "image/svg+xml", "image/gif"],
)
def test_the_bytes_say_what_kind_of_picture_it_is(service_url: str, kind: str) -> None:
    for content in (picture(), picture(kind="JPEG")):
        assert _raw(service_url, content, kind).status_code == 200


def test_the_page_of_the_api_can_be_tried_as_it_stands(service_url: str) -> None:
    """It fills its forms with each option's first example, or its default."""
    operation = httpx2.get(f"{service_url}/openapi.json").json()["paths"]["/v1/classify"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]

    def filled(schema: dict[str, Any]) -> str:
        return str(schema["examples"][0] if "examples" in schema else schema["default"])

    query = {each["name"]: filled(each["schema"]) for each in operation["parameters"]}
    fields = {name: filled(schema) for name, schema in form.items() if name != "files"}
    assert len(query) == len(fields) + 1 == 7
    files = {"files": ("a.png", picture())}
    for params, data in ((query, {}), ({}, fields), (query, fields)):
        answer = httpx2.post(f"{service_url}/v1/classify", files=files, params=params, data=data)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["results"]) == 1


def test_what_comes_too_slowly_or_too_much_is_told_when_to_come_again(start: Callable[..., str]) -> None:
    url = start(request_s=2, max_requests=1)  # a decoder has to start within it
    arrived, go_on = threading.Event(), threading.Event()

    def slowly() -> Any:
        yield picture()[:10]
        arrived.set()
        go_on.wait(20)

    answers: list[httpx2.Response] = []
    slow = threading.Thread(
        target=lambda: answers.append(
            httpx2.post(f"{url}/v1/classify", content=slowly(), headers={"content-type": "image/png"}, timeout=20)
        )
    )
    slow.start()
    assert arrived.wait(20)
    statuses = []
    for _ in range(2000):  # until the slow request holds the only place, and then until it lost it
        answer = httpx2.post(f"{url}/v1/classify", content=b"", headers={"content-type": "image/png"}, timeout=20)
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            assert answer.json()["code"] == "too_many_requests"
            assert int(answer.headers["retry-after"]) > 0
        elif 429 in statuses:
            break
    go_on.set()
    slow.join(20)
    assert set(statuses) == {422, 429}
    assert (answers[0].status_code, answers[0].json()["code"]) == (408, "request_timeout")
