"""Announcements: that a person appeared or left, in the form in which other programs hear of it. No I/O.

Each announcement has an id, and keeps it however often it is delivered: a receiver that ignores repeated ids sees each
announcement once.
"""

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated, Final, Protocol

import msgspec

from clients.python.presence import PresenceEvent, Turn
from sensor_sim.ledger import FrameReport

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of sensors and regions, which become parts of topics and ids."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A person appeared or left.

    Attributes:
        id: unique; the same each time that the announcement is delivered.
        sensor: name of the sensor.
        region: name of the region of the picture; empty for the whole picture.
        turn: `appeared` or `left`.
        since: time at which the first of the frames that changed the state was taken, ISO 8601, UTC.
        time: time at which the last of these frames was taken, likewise.
        p_person: P(person) of the last frame, 0..1.
        row: rows of the last frame that the decision rests on.
        saved_share: share of the rows of the last frame that were never sent, 0..1.
    """

    id: str
    sensor: str
    region: str
    turn: Turn
    since: str
    time: str
    p_person: Annotated[float, msgspec.Meta(ge=0, le=1)]
    row: int
    saved_share: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Sink(Protocol):
    """A way out for announcements. Only `close` waits."""

    def tell(self, announcement: Announcement) -> None:
        """Takes an announcement."""

    def rest(self, region: str) -> None:
        """Is told that a region is empty at the start, before any *appeared*."""

    def close(self, wait_s: float) -> int:
        """Delivers what is left within `wait_s` seconds; returns the number of undelivered announcements."""


def check_name(name: str) -> str:
    """Returns the name of a sensor or region.

    Raises:
        ValueError: a name that can't be part of a topic.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"the name {name[:80]!r} can't be announced; it must have 1 to 64 letters, digits, `_` or `-`, since it "
            "becomes part of topics"
        )
    return name


def announce(event: PresenceEvent, report: FrameReport, sensor: str, region: str, taken_s: float) -> Announcement:
    """Makes an announcement of a change of presence.

    Args:
        event: the change.
        report: report on the frame that brought it about.
        sensor: name of the sensor.
        region: name of the region; empty for the whole picture.
        taken_s: time at which the frame was taken, seconds since 1970.
    """
    return Announcement(
        id=secrets.token_hex(16),
        sensor=sensor,
        region=region,
        turn=event.turn,
        since=_iso(taken_s - (event.time_s - event.since_s)),
        time=_iso(taken_s),
        p_person=report.decision.p_person,
        row=report.rows
        // (report.decision.processed + report.decision.skipped + report.decision.unread)
        * (report.decision.burst_index + 1),
        saved_share=1 - report.rows_sent / report.rows,
    )


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
