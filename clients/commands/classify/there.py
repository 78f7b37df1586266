"""By a service, over a few connections at a time."""

import json
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3

from clients.commands.classify.rows import Row
from clients.commands.classify.sources import Picture
from server.errors import ServiceError
from server.images import PictureLimits

AHEAD: Final = 4
OF_ONE_PICTURE: Final = ("image_too_large", "image_too_many_pixels", "unreadable_image", "request_too_large")
"""Refusals that say nothing about the next picture."""
PATIENCE: Final = urllib3.Retry(
    total=10,
    connect=2,
    backoff_factor=0.2,
    status_forcelist=(429, 503),
    allowed_methods=None,  # classifying twice does no harm
    raise_on_status=False,
)

Done = tuple[Picture, Row]


class RemoteError(ConnectionError):
    """A service that isn't there, or refuses."""


class Service:
    """A service's HTTP interface.

    Args:
        url: its address.
        connections: at a time.
        bearer_token: for a service that asks for one.

    Raises:
        RemoteError: not an address.
    """

    def __init__(self, url: str, connections: int, bearer_token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise RemoteError(f"{url!r} is not the address of a service; expected something like http://127.0.0.1:8000")
        self._url = url.rstrip("/")
        self._connections = connections
        timeout = urllib3.Timeout(connect=10, read=120)
        self._pool = urllib3.PoolManager(maxsize=connections, retries=PATIENCE, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {bearer_token}"} if bearer_token else {}

    def model(self, variant: str) -> dict[str, Any]:
        """What the service says about a network.

        Raises:
            RemoteError: it doesn't answer, or doesn't serve it.
        """
        answer = self._answer("GET", "/v1/models")
        try:
            found = {model["variant"]: model for model in answer["models"]}
        except (KeyError, TypeError):
            raise RemoteError(f"{self._url} is not this kind of service") from None
        if variant not in found:
            raise RemoteError(f"the variant {variant!r} is not served; there is {', '.join(found)}")
        described: dict[str, Any] = found[variant]
        return described

    def classify(self, pictures: Iterable[Picture], limits: PictureLimits, **query: str) -> Generator[Done, None, None]:
        """Classifies pictures, in their order.

        Raises:
            RemoteError: the service is gone, or refuses them all.
        """
        waiting, running = iter(pictures), deque[tuple[Picture, Future[Row]]]()
        path = f"/v1/classify?{urlencode(query)}"
        pool = ThreadPoolExecutor(self._connections)
        try:
            while True:
                for picture in islice(waiting, AHEAD * self._connections - len(running)):
                    running.append((picture, pool.submit(self._classify, picture, limits, path)))
                if not running:
                    return
                picture, row = running.popleft()
                yield picture, row.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _classify(self, picture: Picture, limits: PictureLimits, path: str) -> Row:
        try:
            content = picture.read(limits.most_bytes)
            answer = self._answer("POST", path, content)
        except ServiceError as error:
            return {"name": picture.name, "code": error.code, "message": str(error)}
        [entry] = answer["results"]
        return {key: value for key, value in entry.items() if key != "index"} | {"name": picture.name}

    def _answer(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = self._headers | ({"Content-Type": "application/octet-stream"} if body is not None else {})
        try:
            answer = self._pool.request(method, self._url + path, body=body, headers=headers)
            content = json.loads(answer.data)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise RemoteError(f"{self._url}: no service answers there ({type(reason).__name__})") from error
        except ValueError as error:
            raise RemoteError(f"{self._url} is not this kind of service (status {answer.status})") from error
        if answer.status == 200:
            return content
        code, detail = str(content.get("code")), str(content.get("detail"))
        if code in OF_ONE_PICTURE:
            raise ServiceError(code, detail)
        raise RemoteError(f"{self._url} refuses: {detail} ({code})")
