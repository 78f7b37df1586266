"""Announcements that nobody made."""

from clients.python.announcement import Announcement
from clients.python.presence import Turn


def announcement(number: int, turn: Turn | None = None, region: str = "") -> Announcement:
    """The number is its id; even ones appear, odd ones leave."""
    return Announcement(
        id=f"{number:032x}", sensor="hall", region=region, turn=turn or (Turn.LEFT if number % 2 else Turn.APPEARED),
        since="2026-01-01T00:00:00.000Z", time="2026-01-01T00:00:01.000Z", p_person=0.75, row=60, saved_share=0.25,
    )  # fmt: skip
