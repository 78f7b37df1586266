"""Classifies picture files by a service, over HTTP.

with HttpClient("http://127.0.0.1:8000") as client:
    for result in client.classify(["cat.jpg", "street.jpg"]):
        print(result)

Several pictures share a request, several requests are under way at a time, and a service that is busy is asked again.
Proxy settings of the environment are ignored.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3
from msgspec import Meta, Struct
from urllib3.filepost import encode_multipart_formdata

from clients.python.errors import HttpError
from sensor_sim.uplink import START_ONE
from sensor_sim.wire import bearer_header

TOGETHER: Final = 16
"""Most pictures in a request; they share the cost of the request."""
TOGETHER_BYTES: Final = 4_000_000
"""Most bytes of several pictures in a request; larger ones go alone."""
AHEAD: Final = 2
"""Most requests under way or queued for each connection."""
MOST_ANSWER_BYTES: Final = 64_000_000
RETRY_AFTER_S: Final = 30
"""Longest wait that a service may ask for."""
CONNECT_S, READ_S = 10.0, 120.0
OF_PICTURES: Final = (
    "image_too_large",
    "image_too_many_pixels",
    "unreadable_image",
    "request_too_large",
    "too_many_images",
)
"""Refusals that concern the pictures of one request alone; the next request may succeed."""
_FILES: Final = "files"
_OCTETS: Final = "application/octet-stream"

Count = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=1, le=65_535)]
Share = Annotated[float, Meta(ge=0, le=1)]
T = TypeVar("T")


class ServedModel(Struct, frozen=True):
    """A network that the service serves.

    Attributes:
        variant: name of the network, `{height}x{width}`.
        height, width: size of its frames (px).
        burst_rows: rows of a burst.
        bursts_per_frame: bursts of a frame.
        weights: SHA-256 of the weights.
        calibrated: the policy `calibrated` with its promise; None without a certificate.
    """

    variant: str
    height: Size
    width: Size
    burst_rows: Size
    bursts_per_frame: Size
    weights: str
    calibrated: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.burst_rows * self.bursts_per_frame != self.height:
            raise ValueError(
                f"{self.bursts_per_frame} bursts of {self.burst_rows} rows are not a frame of {self.height} rows"
            )


class PictureDecision(Struct, frozen=True, omit_defaults=True):
    """Decision on a picture.

    Attributes:
        name: name of the picture, as given.
        person: true if P(person) is at least 0.5.
        p_person: P(person), 0..1.
        logits: logits of no person and person.
        exited: true if the policy stopped before the end of the frame.
        burst_index: index of the last burst processed, from 0.
        processed, skipped, unread: numbers of bursts; their sum is the frame's bursts.
        processed_ratio: bursts processed over bursts of the frame, 0..1.
        macs: multiply-accumulates spent.
        elapsed_us: time for decoding, resizing and the network.
        curve: P(person) after each burst, None for a skipped burst; None if no curve was asked for.
    """

    name: str
    person: bool
    p_person: Share
    logits: tuple[float, float]
    exited: bool
    burst_index: Count
    processed: Count
    skipped: Count
    unread: Count
    processed_ratio: Share
    macs: Count
    elapsed_us: Count
    curve: list[Share | None] | None = None


class PictureRefusal(Struct, frozen=True):
    """Refusal of a picture.

    Attributes:
        name: name of the picture, as given.
        code: the service's error code (docs/http.md).
        message: the reason, for people.
    """

    name: str
    code: str
    message: str


class UploadError(Exception):
    """A picture that can't be read, raised by `Upload.read`; it becomes a `PictureRefusal`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture to send.

    Attributes:
        name: name in the picture's result.
        read: returns the bytes of the file; called in a thread, may raise `UploadError`.
    """

    name: str
    read: Callable[[], bytes]


Result = PictureDecision | PictureRefusal


class _Models(Struct):
    models: list[ServedModel]


class _Classified(Struct):
    results: list[dict[str, Any]]


class HttpClient:
    """A service's HTTP interface, as a context manager.

    Args:
        url: address of the service.
        bearer_token: token for a service that asks for one.
        connections: most requests under way at a time, 1 or more.

    Raises:
        HttpError: not an address (`no_service`).
        ValueError: a bearer token that no header can carry.
    """

    def __init__(self, url: str, *, bearer_token: str | None = None, connections: int = 4) -> None:
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # an IPv6 address or a port that is none
            known = False
        if not known:
            raise HttpError(
                "no_service",
                f"{url!r} is not the address of a service; expected something like http://127.0.0.1:8000",
            )
        self._url = url.rstrip("/")
        self._connections = connections
        self._together = True
        again = urllib3.Retry(
            total=10,
            connect=2,
            redirect=0,
            backoff_factor=0.2,
            status_forcelist=(429, 503),
            allowed_methods=None,  # classifying twice does no harm
            raise_on_status=False,
            retry_after_max=RETRY_AFTER_S,
        )
        timeout = urllib3.Timeout(connect=CONNECT_S, read=READ_S)
        self._pool = urllib3.PoolManager(maxsize=connections, retries=again, timeout=timeout)
        self._headers = bearer_header(bearer_token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()

    def models(self) -> list[ServedModel]:
        """Returns the networks that the service serves.

        Raises:
            HttpError: the service doesn't answer, or refuses.
        """
        return self._converted(self._answer("GET", "/v1/models"), _Models).models

    def model(self, variant: str) -> ServedModel:
        """Returns the service's description of one network.

        Raises:
            HttpError: the service doesn't answer, or doesn't serve the network (`unknown_variant`).
        """
        found = {model.variant: model for model in self.models()}
        if variant not in found:
            raise HttpError(
                "unknown_variant", f"the variant {variant!r} is not served; there is {', '.join(found) or 'none'}"
            )
        return found[variant]

    def classify(
        self,
        pictures: Iterable[str | Path | Upload],
        *,
        variant: str | None = None,
        policy: Mapping[str, Any] | None = None,
        curve: bool = False,
    ) -> Iterator[Result]:
        """Classifies pictures; yields a result for each, in order, as soon as it is there.

        Args:
            pictures: files, or `Upload`s for bytes that lie elsewhere.
            variant: name of the network; None: the first one served.
            policy: exit policy and its parameters; None: pictures are read whole.
            curve: true if results carry P(person) after each burst.

        Raises:
            HttpError: the service doesn't answer, or refuses all pictures.
        """
        query = {"reports": "curve" if curve else "decision"}
        if variant is not None:
            query["variant"] = variant
        if policy is not None:
            query["policy"] = json.dumps(dict(policy))
        path = f"/v1/classify?{urlencode(query)}"
        uploads = map(_upload, pictures)
        chunks: Iterator[list[Upload]] = iter(lambda: list(islice(uploads, TOGETHER)), [])
        running: deque[Future[list[Result]]] = deque()
        pool = ThreadPoolExecutor(self._connections)
        try:
            while True:
                for chunk in islice(chunks, AHEAD * self._connections - len(running)):
                    running.append(pool.submit(self._classify, chunk, path))
                if not running:
                    return
                yield from running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _classify(self, uploads: Sequence[Upload], path: str) -> list[Result]:
        """Results of one chunk, in its order: small pictures together, large ones alone."""
        results: dict[int, Result] = {}
        held: dict[int, bytes] = {}
        for place, upload in enumerate(uploads):
            try:
                content = upload.read()
            except UploadError as error:
                results[place] = PictureRefusal("", error.code, str(error))
                continue
            if sum(map(len, held.values())) + len(content) > TOGETHER_BYTES:
                results |= self._results(path, held)
                held = {}
            held[place] = content
        results |= self._results(path, held)
        return [_named(results[place], upload.name) for place, upload in enumerate(uploads)]

    def _results(self, path: str, held: Mapping[int, bytes]) -> dict[int, Result]:
        """Results by the pictures' places: all in one request, then each unsettled picture in a request of its own."""
        results: dict[int, Result] = {}
        if self._together and len(held) > 1:
            parts = [(_FILES, (str(place), content, _OCTETS)) for place, content in held.items()]
            try:
                for result in self._posted(path, *encode_multipart_formdata(parts)):
                    if isinstance(result, PictureDecision) or result.code in OF_PICTURES:
                        results[_place(result.name, held)] = result
            except _RefusedError:  # a service with narrower limits
                self._together = False
        for place in held.keys() - results.keys():
            try:
                alone = self._posted(path, held[place], _OCTETS)
            except _RefusedError as refused:
                results[place] = refused.refusal
                continue
            if len(alone) != 1:
                raise _bad_answer(f"{len(alone)} results for one picture")
            results[place] = alone[0]
        return results

    def _posted(self, path: str, body: bytes, kind: str) -> list[Result]:
        entries = self._converted(self._answer("POST", path, body, kind), _Classified).results
        return [
            self._converted(entry, PictureRefusal) if "code" in entry else self._converted(entry, PictureDecision)
            for entry in entries
        ]

    def _answer(self, method: str, path: str, body: bytes | None = None, kind: str | None = None) -> Any:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        try:
            answer = self._pool.request(method, self._url + path, body=body, headers=headers, preload_content=False)
            try:
                data = answer.read(MOST_ANSWER_BYTES + 1)
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise HttpError(
                "no_service", f"{self._url}: no service answers there ({type(reason).__name__}); {START_ONE}"
            ) from error
        if len(data) > MOST_ANSWER_BYTES:
            raise _bad_answer(f"more than {MOST_ANSWER_BYTES} bytes")
        try:
            content = msgspec.json.decode(data)
        except (ValueError, RecursionError) as error:
            raise HttpError(
                "bad_answer", f"{self._url} is not this kind of service (status {answer.status})", answer.status
            ) from error
        if answer.status == 200:
            return content
        problem = content if isinstance(content, dict) else {}
        code, detail = str(problem.get("code"))[:100], str(problem.get("detail"))[:1000]
        if code in OF_PICTURES:
            raise _RefusedError(PictureRefusal("", code, detail))
        raise HttpError(code, f"{self._url} refuses: {detail} ({code})", answer.status)

    def _converted(self, content: Any, kind: type[T]) -> T:
        try:
            return msgspec.convert(content, kind)
        except (msgspec.ValidationError, RecursionError) as error:
            raise _bad_answer(f"{self._url}: {error}") from error


class _RefusedError(Exception):
    """A request that was refused for its pictures alone."""

    def __init__(self, refusal: PictureRefusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def _upload(picture: str | Path | Upload) -> Upload:
    if isinstance(picture, Upload):
        return picture
    path = Path(picture)

    def read() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise UploadError("unreadable_image", f"the file can't be read: {error.strerror or error}") from error

    return Upload(str(picture), read)


def _named(result: Result, name: str) -> Result:
    return msgspec.structs.replace(result, name=name)


def _place(name: str, held: Mapping[int, bytes]) -> int:
    if name.isascii() and name.isdigit() and int(name[:9]) in held:
        return int(name[:9])
    raise _bad_answer(f"a result for {name[:40]!r}, which was not sent")


def _bad_answer(found: str) -> HttpError:
    return HttpError("bad_answer", f"the service does not answer as this service does (docs/http.md): {found}")
