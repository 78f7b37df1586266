"""An uplink: one stream to the service, which keeps to its credits and, with a `Backoff`, outlives drops and drains.

The uplink keeps the rows of the frame in progress until the frame is decided or given up, and of a frame under audit
until the next frame begins. After a drop it connects
again with the last resume token and sends the rows that the token does not cover. If the service refuses the token, the
uplink begins anew with `hello` and the whole frame.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from sensor_sim.wire import (
    SUBPROTOCOL,
    Abandon,
    Abandoned,
    Checkpoint,
    ClientMessage,
    Credit,
    Decision,
    End,
    Error,
    GoingAway,
    Hello,
    Message,
    Position,
    Resume,
    Rows,
    Shed,
    Summary,
    Sync,
    Welcome,
    WireError,
    bearer_header,
    decode,
    encode,
)

ANSWER_TIMEOUT_S = 30.0
"""Longest wait for any answer of the service."""

PING_S = 5.0
"""Time from one ping of the service to the next."""
PONG_S = 10.0
"""Longest wait for the answer to a ping; shorter than `ANSWER_TIMEOUT_S`, so that a dead link is found first."""

CLOSE_S = 2.0
"""Longest wait for the service's side of a close, which a dead link never brings."""

REFUSED_TOKENS = ("bad_token", "expired_token", "foreign_token")


START_ONE = "start one with `rascanet serve`, or give the address of another"
"""Advice where no service answers."""


class StreamError(Exception):
    """A stream that the service refused, or whose connection was lost.

    Attributes:
        code: the service's error code (PROTOCOL.md), or `connection_lost`, `no_connection`, `no_answer`, `bad_answer`.
        retry: true if the same call may succeed later.
    """

    def __init__(self, code: str, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.code, self.retry = code, retry


def bad_answer(found: str) -> StreamError:
    """Makes the error for an answer that breaks the protocol; `found` describes the answer."""
    return StreamError("bad_answer", f"the service does not keep to the protocol (PROTOCOL.md): {found}")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits before new attempts to connect: attempt n waits a random time up to `first_s` * 2**n, at most `most_s`.

    Attributes:
        attempts: number of attempts after a lost connection.
        first_s: longest wait before attempt 0.
        most_s: longest wait before any attempt.
        draw: returns a random number, 0 to below 1.
    """

    attempts: int = 12
    first_s: float = 0.1
    most_s: float = 5.0
    draw: Callable[[], float] = random.random

    def delay_s(self, attempt: int) -> float:
        """The wait before attempt `attempt`, counted from 0."""
        return self.draw() * self._longest_s(attempt)

    @property
    def patience_s(self) -> float:
        """Longest time that all waits together take; half of it on average."""
        return sum(self._longest_s(attempt) for attempt in range(self.attempts))

    def _longest_s(self, attempt: int) -> float:
        return min(self.most_s, self.first_s * 2.0**attempt)


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """The service was lost, or is back. Not told where the first new attempt succeeds, as after a drain.

    Attributes:
        up: true if the service is back.
        reason: how the connection was lost, in words; empty if the service is back.
        patience_s: longest time for which attempts go on; 0 if the service is back.
    """

    up: bool
    reason: str = ""
    patience_s: float = 0.0


class Uplink:
    """One stream to a service, over one connection or several.

    Args:
        url: ws:// or wss:// address of `/v1/stream`.
        hello: network, policy and format to ask for.
        backoff: waits before new attempts to connect; None: a lost connection ends the stream.
        bearer_token: token for a service that asks for one.
        observer: is called when the service was lost, and when it is back; an error of the observer ends the stream.

    Raises:
        ValueError: a bearer token that no header can carry.

    Attributes:
        welcome: the settings in force.
        resumed: number of times that the connection was made again.
        lost: number of connections lost by the code that they were closed with; 1006: without a close frame.
    """

    def __init__(
        self,
        url: str,
        hello: Hello,
        backoff: Backoff | None = None,
        bearer_token: str | None = None,
        observer: Callable[[ServiceChange], None] = lambda _: None,
    ) -> None:
        self._url, self._hello, self._backoff, self._observer = url, hello, backoff, observer
        self._headers = bearer_header(bearer_token)
        self._connection: ClientConnection | None = None
        self.welcome: Welcome
        self.resumed = 0
        self.lost: Counter[int | None] = Counter()
        self._token = ""
        # Rows of the frame in progress, at most a frame of them.
        self._kept: list[Rows] = []
        # Messages that the service has not answered yet.
        self._owed: list[Abandon | Sync | End] = []
        # While the connection is down, messages are kept and not sent.
        self._up = True
        # Number of the last frame that is decided or given up; of the frame under audit, if the last one is.
        self._done = self._audited = -1
        # Number of the last frame that the service can't know, since it refused the token: late rows are not sent.
        self._unknown = -1
        self._sent = self._credits = 0
        self._more = asyncio.Event()
        # Held by the task that sends; after a drop, until the kept messages are sent again.
        self._turn = asyncio.Lock()
        self._resending: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def open(self) -> Welcome:
        """Connects for the first time and returns the service's welcome.

        A connection that is lost before `welcome`, as in a drain, is tried again under the backoff.

        Raises:
            StreamError: no connection, or the service refused the stream.
        """
        backoff = self._backoff or Backoff(attempts=0)
        for attempt in range(backoff.attempts + 1):
            try:
                self.welcome = await self._begin(self._hello)
                break
            except StreamError as error:
                if error.code != "connection_lost" or attempt == backoff.attempts:
                    raise
                await asyncio.sleep(backoff.delay_s(attempt))
        return self.welcome

    async def close(self) -> None:
        """Closes the connection."""
        if self._resending:
            self._resending.cancel()
        if self._connection:
            await self._connection.close()

    def fail(self, failure: Exception) -> None:
        """Ends the stream: calls that send, or wait for credits, raise this error."""
        self._failure = self._failure or failure
        self._more.set()

    @property
    def _opened(self) -> ClientConnection:
        """The connection that `open` made.

        Raises:
            RuntimeError: the uplink was never opened.
        """
        if self._connection is None:
            raise RuntimeError("open the uplink before it is used")
        return self._connection

    async def send(self, message: Rows | Abandon | Sync | End) -> None:
        """Sends a message; rows wait until there are credits for them.

        Raises:
            StreamError: the stream has ended.
        """
        async with self._turn:
            if isinstance(message, Rows):
                if message.frame_id <= self._unknown:
                    return
                if message.frame_id > self._done or message.frame_id == self._audited:
                    self._kept.append(message)
                if message.frame_id > self._audited >= 0:
                    self._forget(self._audited)
            else:
                self._owed.append(message)
            if isinstance(message, Abandon):
                self._forget(message.frame_id)
            if self._failure:
                raise self._failure
            if self._up:
                await self._put(message)

    async def _put(self, message: Rows | Abandon | Sync | End) -> None:
        bursts = message.bursts if isinstance(message, Rows) else 0
        connected = self.resumed
        while bursts and self._sent + bursts > self._credits and not self._failure:
            self._more.clear()
            await self._more.wait()
            if self.resumed != connected:
                # The message is kept, and `_send_again` sends it.
                return
        if self._failure:
            raise self._failure
        try:
            await self._opened.send(encode(message))
        except ConnectionClosed as error:
            if self._backoff is None:
                # Gives the reading task a turn, which may find the service's own reason.
                await asyncio.sleep(0)
                raise self._failure or _lost(error) from error
        if self.resumed == connected:
            self._sent += bursts

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yields the service's messages about frames, until the stream ends.

        Raises:
            StreamError: the service refused the stream, or the connection was lost for good.
        """
        try:
            while True:
                try:
                    async for data in self._opened:
                        message = _answer(data)
                        if isinstance(message, Error):
                            raise StreamError(message.code, message.message)
                        if isinstance(message, Welcome | ClientMessage | Rows) and not isinstance(message, Sync):
                            raise bad_answer(f"{type(message).__name__.lower()} is no answer within a stream")
                        if self._note(message):
                            yield message
                    failure = StreamError("connection_lost", "the service closed the stream")
                except ConnectionClosed as error:
                    failure = _lost(error)
                self.lost[self._opened.close_code] += 1
                if self._backoff is None:
                    raise failure
                await self._connect_again(self._backoff, failure)
        except StreamError as error:
            self.fail(error)
            raise

    def _note(self, message: Message) -> bool:
        """Takes tokens and credits from a message; returns true if the message is new to the sensor."""
        if isinstance(message, Shed):
            self._kept = [rows for rows in self._kept if rows.frame_id != message.frame_id]
        if isinstance(message, Decision | Abandoned | Checkpoint | GoingAway) and message.token:
            self._token = message.token
        if isinstance(message, Decision | Abandoned | Checkpoint | Credit) and message.credits > self._credits:
            self._credits = message.credits
            self._more.set()
        if isinstance(message, Sync | Summary):
            kind = Sync if isinstance(message, Sync) else End
            self._owed = [owed for owed in self._owed if not isinstance(owed, kind)]
        if isinstance(message, Abandoned):
            self._owed = [owed for owed in self._owed if owed != Abandon(message.frame_id)]
        if isinstance(message, Decision):
            news = message.frame_id > self._done
            if message.audit:
                self._done = self._audited = message.frame_id
                self._kept = [rows for rows in self._kept if rows.first_burst + rows.bursts > message.burst_index + 1]
            else:
                self._forget(message.frame_id)
            return news
        return not isinstance(message, Abandoned | Credit | Checkpoint | GoingAway)

    def _forget(self, frame_id: int) -> None:
        """Drops the kept rows of a frame; rows of this frame that come later are not kept either."""
        self._done = max(self._done, frame_id)
        self._audited = -1
        self._kept = [rows for rows in self._kept if rows.frame_id != frame_id]

    async def _connect_again(self, backoff: Backoff, lost: StreamError) -> None:
        self._up = False
        failure = lost
        if self._resending:
            self._resending.cancel()
            await asyncio.gather(self._resending, return_exceptions=True)
        for attempt in range(backoff.attempts):
            await asyncio.sleep(backoff.delay_s(attempt))
            try:
                try:
                    welcome = await self._begin(Resume(self._token))
                except StreamError as error:
                    if error.code not in REFUSED_TOKENS:
                        raise
                    welcome = await self._begin(self._hello)
                    self._forget(self._audited)
                    self._unknown = self._done
            except StreamError as error:
                if not error.retry:
                    raise
                failure = error
                if not attempt:
                    self._observer(ServiceChange(up=False, reason=str(lost), patience_s=backoff.patience_s))
                continue
            if attempt:
                self._observer(ServiceChange(up=True))
            self.resumed += 1
            self._more.set()
            self._resending = asyncio.create_task(self._send_again(welcome.position))
            return
        raise failure

    async def _send_again(self, position: Position | None) -> None:
        with suppress(StreamError):  # the reading task raises the same error
            async with self._turn:
                self._up = True
                known = (-1, 0)
                if position:
                    audit_burst = position.audit_burst
                    known = (position.frame_id, position.next_burst if audit_burst is None else audit_burst)
                # Frames are given up before rows of later frames are sent.
                given_up = [owed for owed in self._owed if isinstance(owed, Abandon)]
                others = [owed for owed in self._owed if not isinstance(owed, Abandon)]
                for message in [*given_up, *self._kept, *others]:
                    if not isinstance(message, Rows) or (message.frame_id, message.first_burst) >= known:
                        await self._put(message)

    async def _begin(self, opening: Hello | Resume) -> Welcome:
        if self._connection:
            await self._connection.close()
        connection = self._connection = await _connect(self._url, self._headers)
        try:
            await connection.send(encode(opening))
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = _answer(await connection.recv())
        except TimeoutError:
            raise StreamError("no_answer", f"no welcome came within {ANSWER_TIMEOUT_S:g} s", retry=True) from None
        except ConnectionClosed as error:
            self.lost[connection.close_code] += 1
            raise _lost(error) from error
        if isinstance(answer, Error):
            raise StreamError(answer.code, answer.message)
        if isinstance(answer, GoingAway):
            raise StreamError("connection_lost", f"the service takes no streams now: {answer.reason}", retry=True)
        if not isinstance(answer, Welcome):
            raise bad_answer(f"{type(answer).__name__.lower()} instead of welcome")
        _check(answer, self._hello)
        self._token, self._credits, self._sent = answer.token, answer.credits, 0
        return answer


def _answer(data: bytes | str) -> Message:
    try:
        return decode(data)
    except WireError as error:
        raise bad_answer(str(error)) from error


def _check(welcome: Welcome, hello: Hello) -> None:
    """Checks a welcome against the `hello`, before any size is taken from the welcome.

    Raises:
        StreamError: `bad_answer`: another network, another format, or sizes that contradict each other.
    """
    try:
        geometry = welcome.geometry
    except ValueError as error:
        raise bad_answer(f"a welcome of {welcome.height} rows and {welcome.width} columns ({error})") from error
    named = f"{welcome.height}x{welcome.width}"
    if welcome.variant != hello.variant or named != hello.variant or welcome.pixel_format != hello.pixel_format:
        raise bad_answer(
            f"a welcome for {welcome.variant} ({named}, {welcome.pixel_format}) instead of {hello.variant} "
            f"({hello.pixel_format})"
        )
    if welcome.bursts_per_frame != geometry.bursts_per_frame:
        raise bad_answer(f"{welcome.bursts_per_frame} bursts in a frame of {geometry.bursts_per_frame}")


def _lost(error: ConnectionClosed) -> StreamError:
    reason = f"{error.rcvd.code} {error.rcvd.reason}".strip() if error.rcvd else "no close frame"
    return StreamError("connection_lost", f"the connection to the service was lost ({reason})", retry=True)


async def _connect(url: str, headers: dict[str, str]) -> ClientConnection:
    subprotocols = [Subprotocol(SUBPROTOCOL)]
    try:
        return await connect(
            url,
            subprotocols=subprotocols,
            additional_headers=headers,
            compression=None,
            proxy=None,
            ping_interval=PING_S,
            ping_timeout=PONG_S,
            close_timeout=CLOSE_S,
        )
    except InvalidStatus as error:
        code, detail = _problem(bytes(error.response.body or b""))
        raise StreamError(
            code,
            f"{url}: refused with HTTP {error.response.status_code}{f': {detail}' if detail else ''}",
            retry=error.response.status_code >= 500,
        ) from error
    except (OSError, InvalidHandshake, ValueError, TimeoutError) as error:
        raise StreamError(
            "no_connection", f"{url}: no service answers there ({error}); {START_ONE}", retry=True
        ) from error


def _problem(body: bytes) -> tuple[str, str]:
    """The code and the sentence of a refusal (problem details, RFC 9457); the beginning of any other body."""
    try:
        problem = json.loads(body)
        return str(problem["code"])[:100], str(problem["detail"])[:1000]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "no_connection", body[:200].decode(errors="replace")
