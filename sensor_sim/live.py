"""Live sources: cameras and programs that go on whether anybody looks or not.

A thread of its own connects, takes pictures, and connects again after a loss; the newest picture wins. Readers never
wait longer than they ask to.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

from sensor_sim.burst import Frame
from sensor_sim.scene import SceneError
from sensor_sim.uplink import Backoff

RETRY: Final = Backoff(attempts=0, first_s=1.0, most_s=30.0)
"""Waits before a camera is connected to again, without end; the number of attempts has no meaning here."""
MOST_DOUBLINGS: Final = 30
CLOSE_S: Final = 2.0
"""Longest wait for the thread when a source is closed: a camera that hangs is left to its own timeout."""
KEPT_CHANGES: Final = 16


class LiveError(SceneError):
    """A source that can't be connected to, or was lost; the message says why."""


class LiveState(StrEnum):
    """State of a live source."""

    LOST = "lost"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class LiveChange:
    """A live source was lost, or is back.

    Attributes:
        name: name of the source.
        state: the state from now on.
        at_s: time of the change, seconds since 1970 (Unix time).
        reason: why the source was lost; empty when it is back.
    """

    name: str
    state: LiveState
    at_s: float
    reason: str = ""


class LivePicture:
    """A picture as it came. Its pixels are made when somebody asks, once for all readers.

    Args:
        taken_s: time at which the picture came, seconds since 1970 (Unix time).
        make_pixels: returns the upright picture (h, w, 3) uint8 RGB, of any size.
    """

    def __init__(self, taken_s: float, make_pixels: Callable[[], Frame]) -> None:
        self.taken_s = taken_s
        self._make_pixels = make_pixels
        self._lock = threading.Lock()
        self._made: Frame | None = None

    @property
    def pixels(self) -> Frame:
        """The upright picture (h, w, 3) uint8 RGB."""
        with self._lock:
            if self._made is None:
                self._made = self._make_pixels()
            return self._made


class LiveRate:
    """Chooses pictures of a live source: on average one each period at most.

    Args:
        period_s: time from one picture to the next; 0: every picture is taken.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s, self._due_s = period_s, 0.0

    def takes(self, taken_s: float) -> bool:
        """Says whether a picture is taken that came at a time of the wall clock, which may be set in between."""
        early_s = self._due_s - taken_s
        if 0 < early_s <= self._period_s:
            return False
        on_time = -self._period_s <= early_s <= 0
        self._due_s = (self._due_s if on_time else taken_s) + self._period_s
        return True


class Connect(Protocol):
    """Connects to a source and yields its pictures until it ends or `stop` is set; every wait within is bounded."""

    def __call__(self, stop: threading.Event) -> Iterator[LivePicture]:
        """See the class.

        Raises:
            LiveError: no connection, a loss, or nothing came for too long.
        """
        ...


class LiveReader:
    """One reader's place in a live source; made by `LiveSource.reader`. For one thread at a time.

    Attributes:
        seen: number of the last picture taken, from 1.
        told: number of the last change told, from 1.
    """

    def __init__(self, mailbox: "_Mailbox") -> None:
        self._mailbox = mailbox
        self.seen = self.told = 0

    def next(self, wait_s: float) -> LivePicture | LiveChange | None:
        """Returns the next news: a change of the source, or the newest picture that this reader hasn't taken.

        Args:
            wait_s: longest wait; None is returned if nothing came.

        Raises:
            EOFError: the source has ended, and its last picture was taken.
            LiveError: the source broke off for good.
        """
        return self._mailbox.take(self, wait_s)


class _Mailbox:
    """The newest picture and the last changes, between the thread that takes them and the readers.

    Args:
        every: see `LiveSource`.
    """

    def __init__(self, *, every: bool) -> None:
        self._every = every
        self._news = threading.Condition()
        self._picture: LivePicture | None = None
        self._changes: deque[tuple[int, LiveChange]] = deque(maxlen=KEPT_CHANGES)
        self._changed = 0
        self._readers: list[LiveReader] = []
        self._closed = self._ended = False
        self._error: Exception | None = None
        self.pictures = 0

    def reader(self) -> LiveReader:
        with self._news:
            reader = LiveReader(self)
            self._readers.append(reader)
            return reader

    def put(self, picture: LivePicture) -> None:
        with self._news:
            if self._every:
                self._news.wait_for(lambda: self._closed or not self.pictures or self._taken_by_all())
            self._picture = picture
            self.pictures += 1
            self._news.notify_all()

    def tell(self, change: LiveChange) -> None:
        with self._news:
            self._changed += 1
            self._changes.append((self._changed, change))
            self._news.notify_all()

    def end(self, error: Exception | None) -> None:
        """Takes that nothing comes any more, and why if that is an error."""
        with self._news:
            self._ended, self._error = True, error
            self._news.notify_all()

    def close(self) -> None:
        """Lets a picture go that nobody takes."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def await_first(self) -> None:
        """Waits for the first picture.

        Raises:
            LiveError: none came.
        """
        with self._news:
            self._news.wait_for(lambda: self.pictures or self._ended)
            if not self.pictures:
                raise self._error or LiveError("it ended before a picture came")

    def take(self, reader: LiveReader, wait_s: float) -> LivePicture | LiveChange | None:
        with self._news:
            self._news.wait_for(
                lambda: self._changed > reader.told or self.pictures > reader.seen or self._ended, wait_s
            )
            for number, change in self._changes:
                if number > reader.told:
                    reader.told = number
                    return change
            if self.pictures > reader.seen:
                reader.seen = self.pictures
                self._news.notify_all()
                return self._picture
            if not self._ended:
                return None
            if self._error:
                raise self._error
            raise EOFError

    def _taken_by_all(self) -> bool:
        return bool(self._readers) and all(reader.seen == self.pictures for reader in self._readers)


class LiveSource:
    """A source and the thread that takes its pictures, as a context manager.

    Args:
        name: name of the source, without anything secret.
        connect: connects and yields pictures.
        retry: waits between connections; None: the source ends when its first connection does.
        every: true if each picture waits until all readers have taken it, instead of making room for a newer one.
        now_s: the wall clock, seconds since 1970.

    Attributes:
        losses: number of connections that were lost so far.
    """

    def __init__(
        self,
        name: str,
        connect: Connect,
        retry: Backoff | None = RETRY,
        *,
        every: bool = False,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.name, self.losses = name, 0
        self._connect, self._retry, self._now_s = connect, retry, now_s
        self._stop = threading.Event()
        self._mailbox = _Mailbox(every=every)
        # A thread that hangs in a library must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=f"live {name}", daemon=True)

    def __enter__(self) -> Self:
        """Connects, and waits for the first picture.

        Raises:
            LiveError: no first picture came; the message names the source.
        """
        self._thread.start()
        try:
            self._mailbox.await_first()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the source."""
        self._stop.set()
        self._mailbox.close()
        self._thread.join(CLOSE_S)

    def reader(self) -> LiveReader:
        """Makes a reader, which begins with the newest picture."""
        return self._mailbox.reader()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            self._take_pictures()
        except LiveError as failure:
            error = LiveError(f"{self.name}: {failure}")
        except Exception as failure:  # of a library: the readers raise it
            error = failure
        finally:
            self._mailbox.end(error)

    def _take_pictures(self) -> None:
        """Takes pictures over one connection after the other.

        Raises:
            LiveError: the first connection failed, or the only one.
        """
        failures = 0
        while True:
            try:
                for picture in self._connect(self._stop):
                    if failures:
                        self._mailbox.tell(LiveChange(self.name, LiveState.BACK, picture.taken_s))
                        failures = 0
                    self._mailbox.put(picture)
                    if self._stop.is_set():
                        return
                reason = "it ended"
            except LiveError as error:
                if self._retry is None or not self._mailbox.pictures:
                    raise
                reason = str(error)
            if self._retry is None or not self._mailbox.pictures or self._stop.is_set():
                return
            if not failures:
                self.losses += 1
                self._mailbox.tell(LiveChange(self.name, LiveState.LOST, self._now_s(), reason))
            self._stop.wait(self._retry.delay_s(min(failures, MOST_DOUBLINGS)))
            if self._stop.is_set():
                return
            failures += 1
