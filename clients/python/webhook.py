"""Announcements to a web address: one POST each, signed, in order, again and again until it is taken.

The form is that of Standard Webhooks (standardwebhooks.com): the headers `webhook-id`, `webhook-timestamp` (seconds
since 1970) and, with a secret, `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over id, timestamp and body
with dots between them. An answer of 2xx takes an announcement; any other answer, silence or no connection does not.

A thread of its own delivers, so a receiver that hangs holds up nothing. The queue is bounded: the oldest announcement
gives way, so the newest ones win.
"""

import base64
import binascii
import hmac
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec
import urllib3

from clients.python.announcement import Announcement

MOST_WAITING: Final = 1000
"""Most announcements that wait; a thousand are days of an ordinary door."""
ANSWER_S: Final = 10.0
"""Longest wait for a connection, and for an answer."""
FIRST_S, MOST_S = 0.5, 60.0
"""Longest pause after a first failure, and after any; each pause is a random part of twice the one before."""
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what a secret begins with


class WebhookError(ValueError):
    """A webhook that can't be used."""


def webhook_key(secret: str) -> bytes:
    """The key of a secret: what follows `whsec_` in base64, as senders of Standard Webhooks give it, or any text.

    Raises:
        WebhookError: an empty secret, or base64 that is none.
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
        dropped: number of announcements that gave way to newer ones.

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
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            usable = False
        if not usable:
            raise WebhookError(f"the webhook {url[:200]!r} is no address like https://example.org/hook")
        if parts.username is not None or parts.password is not None:
            raise WebhookError("a webhook's address must not hold a name or password: others would see them")
        self._url, self._told, self._draw = url, told, draw
        self._shown = f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query may be a secret
        self._key = webhook_key(secret) if secret is not None else None
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=1, retries=False, timeout=urllib3.Timeout(connect=answer_s, read=answer_s)
        )
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
                # The first one may be under way; then it is delivered twice at most, and folded by its id.
                self._waiting.popleft()
                self.dropped += 1
            self._changed.notify()

    def rest(self, region: str) -> None:
        """Does nothing: nothing turned."""

    def close(self, wait_s: float) -> int:
        """Delivers what is left within `wait_s` seconds; returns the number of announcements that were not."""
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
        headers = {
            "Content-Type": "application/json",
            "webhook-id": announcement.id,
            "webhook-timestamp": str(now_s),
        }
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, announcement.id, now_s, body)
        try:
            answer = self._pool.request(
                "POST", self._url, body=body, headers=headers, redirect=False, preload_content=False
            )
            answer.close()  # nobody reads what a receiver says, however long it is
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return type(error).__name__
        return None if 200 <= answer.status < 300 else f"HTTP {answer.status}"
