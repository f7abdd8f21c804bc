"""SQLAlchemy's pool, with those who wait for a connection served in the order in which they came.

Its own queue gives a connection that comes back to whoever asks next: on a busy instance often to the one who has just
given it back, while somebody else waits until they are refused.
"""

from asyncio import Semaphore
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only

from authapi.core.timer import Within


class FairPool(AsyncAdaptedQueuePool):
    """For `max_overflow=0`. Whoever has a turn finds a connection, or room for one. Raises TimeoutError."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turns = Semaphore(self.size())

    async def _turn(self) -> None:
        if self._turns.locked():
            with Within(self.timeout()):
                await self._turns.acquire()
        else:
            await self._turns.acquire()

    def _do_get(self) -> ConnectionPoolEntry:
        await_only(self._turn())
        try:
            return super()._do_get()
        except BaseException:
            self._turns.release()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            self._turns.release()
