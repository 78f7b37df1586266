"""By a service, over a few connections at a time."""

import json
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.filepost import encode_multipart_formdata

from clients.commands.classify.rows import Row
from clients.commands.sources import Picture
from model.picture import PictureLimits
from server.errors import ServiceError

TOGETHER: Final = 16
"""Pictures in a request, which share what it costs."""
TOGETHER_BYTES: Final = 4_000_000
"""Most bytes of several pictures in a request; larger ones go alone."""
AHEAD: Final = 2
"""Requests that a connection may be behind."""
OF_PICTURES: Final = (
    "image_too_large",
    "image_too_many_pixels",
    "unreadable_image",
    "request_too_large",
    "too_many_images",
)
"""Refusals that say nothing about the pictures of the next request."""
FILES: Final = "files"
OCTETS: Final = "application/octet-stream"
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
        self._together = True
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
        waiting = iter(pictures)
        chunks: Iterator[list[Picture]] = iter(lambda: list(islice(waiting, TOGETHER)), [])
        running: deque[tuple[list[Picture], Future[list[Row]]]] = deque()
        path = f"/v1/classify?{urlencode(query)}"
        pool = ThreadPoolExecutor(self._connections)
        try:
            while True:
                for chunk in islice(chunks, AHEAD * self._connections - len(running)):
                    running.append((chunk, pool.submit(self._classify, chunk, limits, path)))
                if not running:
                    return
                chunk, rows = running.popleft()
                yield from zip(chunk, rows.result(), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)

    def _classify(self, pictures: Sequence[Picture], limits: PictureLimits, path: str) -> list[Row]:
        rows: dict[int, Row] = {}
        held: dict[int, bytes] = {}
        for place, picture in enumerate(pictures):
            try:
                content = picture.read(limits.most_bytes)
            except ServiceError as error:
                rows[place] = _refused(error)
                continue
            if sum(map(len, held.values())) + len(content) > TOGETHER_BYTES:
                rows |= self._rows(path, held)
                held = {}
            held[place] = content
        rows |= self._rows(path, held)
        return [rows[place] | {"name": picture.name} for place, picture in enumerate(pictures)]

    def _rows(self, path: str, held: Mapping[int, bytes]) -> dict[int, Row]:
        """Of pictures by their places: several in one request, then alone those that it did not settle."""
        rows: dict[int, Row] = {}
        if self._together and len(held) > 1:
            parts = [(FILES, (str(place), content, OCTETS)) for place, content in held.items()]
            try:
                for row in map(_row, self._answer("POST", path, *encode_multipart_formdata(parts))["results"]):
                    if row.get("code") in (None, *OF_PICTURES):
                        rows[int(row["name"])] = row
            except ServiceError:  # a service with narrower limits
                self._together = False
        for place in held.keys() - rows.keys():
            try:
                [entry] = self._answer("POST", path, held[place], OCTETS)["results"]
                rows[place] = _row(entry)
            except ServiceError as error:
                rows[place] = _refused(error)
        return rows

    def _answer(self, method: str, path: str, body: bytes | None = None, kind: str | None = None) -> Any:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
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
        if code in OF_PICTURES:
            raise ServiceError(code, detail)
        raise RemoteError(f"{self._url} refuses: {detail} ({code})")


def _row(entry: Row) -> Row:
    return {"name": ""} | {key: value for key, value in entry.items() if key != "index"}


def _refused(error: ServiceError) -> Row:
    return {"name": "", "code": error.code, "message": str(error)}
