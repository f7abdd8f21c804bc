"""A clock that moves when told. It is the database's clock and an offset, as in production."""

from datetime import timedelta

from authapi.core.clock import SystemClock


class MovedClock(SystemClock):
    def __init__(self) -> None:
        super().__init__()
        self.offset = timedelta(0)

    def advance(self, **by: float) -> None:
        self.offset += timedelta(**by)
