"""Time, as something that can be handed over."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """`offset` is added to the database's clock wherever it decides; zero in production, moved by tests."""

    @property
    def offset(self) -> timedelta: ...
    def now(self) -> datetime: ...
    def hear(self, database: datetime) -> None: ...
    def skew(self) -> timedelta | None: ...


class SystemClock:
    """The database's time as last heard, carried on by the monotonic clock; the machine's own until it has been heard.

    So an instance whose wall clock is wrong still judges access tokens as every other does.
    """

    offset = timedelta(0)

    def __init__(self) -> None:
        self._heard: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        if self._heard is None:
            return datetime.now(UTC) + self.offset
        database, at = self._heard
        return database + timedelta(seconds=time.monotonic() - at) + self.offset

    def hear(self, database: datetime) -> None:
        """Take over the database's time (without the offset), which has just arrived."""
        self._heard = (database, time.monotonic())

    def skew(self) -> timedelta | None:
        """How far the machine's wall clock is ahead of the database's, or None before it was heard."""
        return None if self._heard is None else datetime.now(UTC) + self.offset - self.now()
