import io
import zlib
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from model.exit_policy import PublishedPolicy
from model.preprocess import frame_from_image
from model.scan import scan_frame
from server.session import ServedModel
from tests.networks import SMALL


def _png(seed: int = 0, size: tuple[int, int] = (50, 40)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _huge_png() -> bytes:
    """A PNG of 30,000 x 30,000 px in a few bytes: only its header is true."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (30_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _classify(url: str, *images: bytes, **query: Any) -> httpx2.Response:
    files = [("files", (f"{index}.png", image)) for index, image in enumerate(images)]
    return httpx2.post(f"{url}/v1/classify", files=files, params={"variant": SMALL.name, **query}, timeout=20)


def test_models_and_policies(service_url: str, models: dict[str, ServedModel]) -> None:
    answer = httpx2.get(f"{service_url}/v1/models").json()
    assert [model["variant"] for model in answer["models"]] == list(models)
    assert answer["models"][0] == {
        "variant": "30x32",
        "height": 30,
        "width": 32,
        "burst_rows": 5,
        "bursts_per_frame": 6,
        "weights": models["30x32"].digest,
    }
    assert [policy["name"] for policy in answer["policies"]] == ["published", "never"]


def test_classify_agrees_with_the_scan_of_the_frame(service_url: str, models: dict[str, ServedModel]) -> None:
    images = [_png(seed) for seed in range(3)]
    answer = _classify(service_url, *images, exit_threshold=0.6, skip_threshold=0.3)
    assert answer.status_code == 200
    assert answer.json()["policy"] == {"name": "published", "exit_threshold": 0.6, "skip_threshold": 0.3}
    for index, (image, result) in enumerate(zip(images, answer.json()["results"], strict=True)):
        frame = frame_from_image(Image.open(io.BytesIO(image)), SMALL.height, SMALL.width)
        scan = scan_frame(models[SMALL.name].runtime, frame, PublishedPolicy(0.6, 0.3))
        assert result["name"] == f"{index}.png"
        assert result["p_person"] == pytest.approx(scan.p_person, abs=1e-6)
        assert (result["processed"], result["skipped"], result["unread"]) == (scan.processed, scan.skipped, scan.unread)
        assert (result["person"], result["exited"]) == (scan.person, scan.exited)


def test_one_unreadable_image_leaves_the_others_alone(service_url: str) -> None:
    results = _classify(service_url, _png(), b"nothing", _png()).json()["results"]
    assert [result.get("code") for result in results] == [None, "unreadable_image", None]


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"", 422, "unreadable_image"),
        (b"GIF89a", 422, "unreadable_image"),
        (_png()[:60], 422, "unreadable_image"),
        (_huge_png(), 413, "image_too_many_pixels"),
        (_png(size=(1100, 1000))[:200_000], 413, "image_too_many_pixels"),
        (b"\xff\xd8" + bytes(400_000), 413, "image_too_large"),
    ],
)
def test_image_refused(service_url: str, image: bytes, status: int, code: str) -> None:
    answer = _classify(service_url, image)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("images", "query", "status", "code"),
    [
        ([b"x"] * 4, {}, 413, "too_many_images"),
        ([bytes(240_000)] * 3, {}, 413, "request_too_large"),
        ([b"x"], {"variant": "1x1"}, 404, "unknown_variant"),
        ([b"x"], {"policy": "other"}, 422, "bad_policy"),
        ([b"x"], {"exit_threshold": 7}, 422, "bad_policy"),
    ],
)
def test_request_refused(service_url: str, images: list[bytes], query: dict[str, Any], status: int, code: str) -> None:
    answer = _classify(service_url, *images, **query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


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


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"{}", "application/json", "bad_request"),
        (b"nonsense", "multipart/form-data; boundary=b", "bad_request"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", "no_images"),
        (b"nonsense", "multipart/form-data", "bad_request"),
    ],
)
def test_not_a_multipart_request(service_url: str, content: bytes, kind: str, code: str) -> None:
    answer = httpx2.post(f"{service_url}/v1/classify", content=content, headers={"content-type": kind})
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code


def test_unknown_sample(service_url: str) -> None:
    answer = httpx2.get(f"{service_url}/v1/samples/..%2f..%2fetc%2fpasswd")
    assert answer.status_code == 404
    assert httpx2.get(f"{service_url}/v1/samples").json() == []
