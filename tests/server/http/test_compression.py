import gzip
import itertools
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.app import create_app
from server.errors import ServiceError
from server.http.compression import FREE_BYTES, MEMBER_BYTES, MEMBERS, MOST_RATIO, PIECE_BYTES, Unpacker
from server.settings import Settings
from tests.conftest import served
from tests.networks import SMALL
from tests.picture_files import picture
from tests.server.asking import Answer, ask


def _raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def _two_members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "two members": ("gzip", _two_members),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", _raw_deflate),
}


def _unpacked(coding: str, pieces: list[bytes]) -> bytes:
    unpacker, found = Unpacker(coding), b""
    for piece in pieces:
        unpacker.take(piece)
        while part := unpacker.piece():
            assert len(part) <= PIECE_BYTES
            found += part
    unpacker.finish()
    return found


@pytest.mark.parametrize("kind", PACKERS)
@given(content=st.binary(max_size=5000), cuts=st.lists(st.integers(0, 5000), max_size=4))
def test_a_body_is_what_it_was_however_it_is_cut(kind: str, content: bytes, cuts: list[int]) -> None:
    coding, pack = PACKERS[kind]
    packed = pack(content)
    places = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    assert _unpacked(coding, [packed[a:b] for a, b in itertools.pairwise(places)]) == content


@given(st.sampled_from(["gzip", "deflate"]), st.binary(max_size=300))
def test_whatever_comes_is_unpacked_or_refused(coding: str, packed: bytes) -> None:
    try:
        _unpacked(coding, [packed])
    except ServiceError as error:
        assert error.code in ("bad_request", "request_too_large")  # noqa: PT017 - or it is none


def test_a_body_that_grows_too_much_is_refused_early() -> None:
    bomb = gzip.compress(bytes(50 * FREE_BYTES))
    assert len(bomb) * MOST_RATIO < 50 * FREE_BYTES
    unpacker, seen = Unpacker("gzip"), [0]
    unpacker.take(bomb)
    with pytest.raises(ServiceError, match=f"at most {MOST_RATIO} times") as refused:
        seen.extend(map(len, iter(unpacker.piece, b"")))
    assert refused.value.code == "request_too_large"
    assert sum(seen) <= max(FREE_BYTES, MOST_RATIO * len(bomb))


def test_a_body_that_holds_nothing_does_not_go_on_for_ever() -> None:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    empty_blocks = packer.flush(zlib.Z_FULL_FLUSH) + b"\0\0\0\xff\xff" * 4000
    with pytest.raises(ServiceError, match="more bytes than what it holds"):
        _unpacked("gzip", [empty_blocks, *[b"\0\0\0\xff\xff" * 4000] * (3 * FREE_BYTES // 20_000)])


def test_a_body_in_very_many_members_is_refused_before_they_hold_anybody_up() -> None:
    unpacker = Unpacker("gzip")
    unpacker.take(gzip.compress(b"") * 3000)
    with pytest.raises(ServiceError, match=f"of {MEMBERS} members"):
        unpacker.piece()
    assert _unpacked("gzip", [gzip.compress(b"1")] * MEMBERS) == b"1" * MEMBERS
    with pytest.raises(ServiceError, match=f"of {MEMBERS} members"):
        _unpacked("gzip", [gzip.compress(b"1")] * (MEMBERS + 1))
    whole = [gzip.compress(bytes(MEMBER_BYTES))] * (MEMBERS + 50)
    assert _unpacked("gzip", whole) == bytes(MEMBER_BYTES * len(whole))


def test_a_deflate_body_is_one_stream() -> None:
    with pytest.raises(ServiceError, match="goes on behind its end"):
        _unpacked("deflate", [zlib.compress(b"1") + zlib.compress(b"2")])


def _classify(coding: str, body: bytes) -> Answer:
    app = create_app(Settings(request_bytes=300_000), served())
    headers = [("Host", "localhost"), ("Content-Encoding", coding), ("Content-Length", str(len(body)))]
    return ask(app, "POST", f"/v1/classify?variant={SMALL.name}", headers, body)


def test_pictures_and_their_refusals() -> None:
    assert _classify("gzip", gzip.compress(picture())).status == 200
    assert _classify("Deflate", zlib.compress(picture())).status == 200
    assert _classify("gzip", picture()).code == "bad_request"
    assert _classify("gzip", gzip.compress(picture())[:-1]).code == "bad_request"
    assert _classify("gzip", gzip.compress(bytes(400_000))).code == "request_too_large"
    refused = _classify("br", b"")
    assert (refused.status, refused.code) == (415, "unsupported_media_type")
    assert refused.headers["accept-encoding"] == "gzip, deflate"
