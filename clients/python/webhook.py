"""Announcements to a web address: one POST each, signed, in order, again and again until it is taken.

The form is that of Standard Webhooks (standardwebhooks.com): the headers `webhook-id`, `webhook-timestamp` (seconds
since 1970) and, with a secret, `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over id, timestamp and body
with dots between them. An answer of 2xx confirms an announcement; any other answer, silence or no connection does not.

A thread of its own delivers, so a receiver that hangs delays nothing else. The queue is bounded: if it is full, the
oldest announcement is deleted.
"""

import base64
import binascii
import hmac
import os
import random
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio
import anyio.abc
import h11
import msgspec
import urllib3

from clients.python.announcement import Announcement

MOST_WAITING: Final = 1000
"""Most announcements that wait; a thousand are days of an ordinary door."""
ANSWER_S: Final = 10.0
"""Longest wait from the begin of a connection to the status of an answer, however many bytes come in between."""
PORTS: Final = {"http": 80, "https": 443}
MOST_READ_BYTES: Final = 1 << 16
FIRST_S, MOST_S = 0.5, 60.0
"""Longest pause after a first failure, and after any; each pause is a random part of twice the one before."""
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what a secret begins with


class WebhookError(ValueError):
    """A webhook that can't be used."""


def webhook_key(secret: str) -> bytes:
    """The key of a secret: `whsec_` and base64, as senders of Standard Webhooks give it, or else the text itself.

    Raises:
        WebhookError: an empty secret, or invalid base64.
    """
    try:
        key = (
            base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
            if secret.startswith(SECRET_PREFIX)
            else secret.encode()
        )
    except (binascii.Error, ValueError):
        raise WebhookError("the webhook's secret begins with whsec_, so base64 must follow") from None
    if not key:
        raise WebhookError("the webhook's secret is empty; leave it out, or give some 32 characters")
    return key


def signature(key: bytes, identity: str, timestamp: int, body: bytes) -> str:
    """The content of the header `webhook-signature`."""
    digest = hmac.digest(key, f"{identity}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


class Webhook:
    """Delivers announcements to one address.

    Args:
        url: http:// or https:// address.
        secret: signs, see `webhook_key`; None: no signature.
        told: called from another thread with a sentence when delivery fails, and when it works again.
        draw: returns a random number, 0 to below 1.
        answer_s: longest wait for an answer.

    Attributes:
        dropped: number of announcements that were deleted for newer ones.

    Raises:
        WebhookError: an address or secret that can't be used.
    """

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        told: Callable[[str], None] = lambda _: None,
        draw: Callable[[], float] = random.random,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._place, self._told, self._draw, self._answer_s = _place(url), told, draw, answer_s
        self._host = (self._place.host or "").strip("[]")
        self._port = self._place.port or PORTS[self._place.scheme or ""]
        self._shown = f"the webhook at {self._place.netloc}"  # path and query are secrets of many receivers
        self._key = webhook_key(secret) if secret is not None else None
        self._trust = ssl.create_default_context() if self._place.scheme == "https" else None
        self._waiting: deque[Announcement] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._gave_up = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        self._thread.start()

    def tell(self, announcement: Announcement) -> None:
        """Takes an announcement; waits for nothing."""
        with self._changed:
            self._waiting.append(announcement)
            if len(self._waiting) > MOST_WAITING:
                # The first one may be under way; then it is delivered twice at most, with the same id.
                self._waiting.popleft()
                self.dropped += 1
            self._changed.notify()

    def rest(self, region: str) -> None:
        """Does nothing: an empty region at the start is no announcement."""

    def close(self, wait_s: float) -> int:
        """Delivers what is left within `wait_s` seconds; returns the number of undelivered announcements."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(wait_s)
        with self._changed:
            self._gave_up = True
            self._changed.notify()
            return len(self._waiting) + self.dropped

    def _run(self) -> None:
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting or self._gave_up:
                    return
                announcement = self._waiting[0]
            fault = self._post(announcement)
            if fault is None:
                with self._changed:
                    if self._waiting and self._waiting[0] is announcement:
                        self._waiting.popleft()
                if failures:
                    self._told(f"{self._shown} takes announcements again")
                failures = 0
                continue
            if failures == 0:
                self._told(f"{self._shown} takes no announcement ({fault}); it is asked again and again")
            pause_s = self._draw() * min(MOST_S, FIRST_S * 2.0 ** min(failures, 16))
            failures += 1
            with self._changed:
                self._changed.wait_for(lambda: self._gave_up, pause_s)

    def _post(self, announcement: Announcement) -> str | None:
        """Sends an announcement; returns the fault, None if it was taken."""
        body, now_s = msgspec.json.encode(announcement), int(time.time())
        headers = [
            ("Host", self._place.netloc or ""),
            ("Connection", "close"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("webhook-id", announcement.id),
            ("webhook-timestamp", str(now_s)),
        ]
        if self._key is not None:
            headers.append(("webhook-signature", signature(self._key, announcement.id, now_s, body)))
        try:
            status = anyio.run(self._ask, self._addresses(), headers, body)
        except TimeoutError:
            return f"no answer within {self._answer_s:g} s"
        except h11.RemoteProtocolError as error:
            return f"no HTTP: {error}"
        except ssl.SSLCertVerificationError as error:
            return f"its certificate is not trusted: {error.verify_message}"
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            return _words(error)
        return None if 200 <= status < 300 else f"HTTP {status}"

    def _addresses(self) -> list[str]:
        """The first address of each family, looked up in this thread: those of an event loop outlive a command.

        Raises:
            OSError: nobody knows the name.
        """
        found: dict[int, str] = {}
        for family, *_, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            found.setdefault(family, str(address[0]))
        return list(found.values())

    async def _connect(self, addresses: list[str]) -> anyio.abc.ByteStream:
        """Connects to the first address that answers, each within its part of the time.

        Raises:
            OSError: none does; the last one's error.
        """
        failure: OSError = TimeoutError()
        for address in addresses:
            with anyio.move_on_after(self._answer_s / len(addresses)):
                try:
                    if self._trust is None:
                        return await anyio.connect_tcp(address, self._port)
                    return await anyio.connect_tcp(
                        address,
                        self._port,
                        ssl_context=self._trust,
                        tls_hostname=self._host,
                        tls_standard_compatible=False,
                    )
                except OSError as error:
                    failure = error
        raise failure

    async def _ask(self, addresses: list[str], headers: list[tuple[str, str]], body: bytes) -> int:
        """Sends a request; returns the status of the answer, whose content nobody reads.

        Raises:
            TimeoutError: no status came in time.
            OSError, anyio.BrokenResourceError, anyio.EndOfStream, h11.RemoteProtocolError: no connection, or no HTTP.
        """
        http = h11.Connection(h11.CLIENT)
        request = h11.Request(method="POST", target=self._place.request_uri, headers=headers)
        with anyio.fail_after(self._answer_s):
            stream = await self._connect(addresses)
            try:
                for part in (request, h11.Data(data=body), h11.EndOfMessage()):
                    await stream.send(http.send(part) or b"")
                while not isinstance(event := http.next_event(), h11.Response):
                    if event is h11.NEED_DATA:
                        http.receive_data(await stream.receive(MOST_READ_BYTES))
            finally:
                await anyio.aclose_forcefully(stream)
        return event.status_code


def _place(url: str) -> urllib3.util.Url:
    """Returns the parts of an address, encoded as they are sent.

    Raises:
        WebhookError: an address that can't be used; the message shows no password.
    """
    try:
        place = urllib3.util.parse_url(url)
        (place.host or "").encode("idna")  # as a name is looked up
    except (urllib3.exceptions.LocationParseError, UnicodeError):
        place = urllib3.util.Url()
    if place.auth is not None:
        raise WebhookError("a webhook's address must not hold a name or password: others would see them")
    if place.scheme not in PORTS or not place.host or place.port == 0:
        given = "..." if "@" in url else url[:200]
        raise WebhookError(f"the webhook {given!r} is no address like https://example.org/hook")
    return place


def _words(error: Exception) -> str:
    """The system's words for a lost connection."""
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return ((error.strerror if isinstance(error, OSError) else None) or "the connection was closed").lower()
