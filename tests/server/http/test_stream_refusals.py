from collections.abc import Callable

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from clients.python.client import stream_url
from sensor_sim.wire import SUBPROTOCOL


def test_the_stream_without_an_upgrade_says_what_to_do(service_url: str) -> None:
    answer = httpx2.get(f"{service_url}/v1/stream")
    assert (answer.status_code, answer.json()["code"], answer.headers["upgrade"]) == (
        426,
        "upgrade_required",
        "websocket",
    )
    assert SUBPROTOCOL in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/steam", "/", "/v1/models", "/v1/stream/"])
def test_a_websocket_where_there_is_none(start: Callable[..., str], path: str) -> None:
    url = stream_url(start()).removesuffix("/v1/stream") + path
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, proxy=None),
    ):
        pass
    assert refused.value.response.status_code == 404
    assert b"not_found" in (refused.value.response.body or b"")
