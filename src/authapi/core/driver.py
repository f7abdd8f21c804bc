"""Postgres by the driver itself, for the few statements that are run all the time and are transactions of their own.

SQLAlchemy stays the way to the database. Around one statement it costs more than the statement does; the driver's own
pool asks the server to reset each connection it gets back, and sets four timers around each loan, where a statement
that leaves nothing behind needs neither. `docs/PERFORMANCE.md` has the figures.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import asyncpg

from authapi.core import db
from authapi.core.settings import Settings
from authapi.core.timer import Within

BY_INDEX = {"enable_seqscan": "off"}
"""Every statement that goes this way finds its rows by an index. While a table is small, the planner would rather read
it whole and goes on so while it grows: then Postgres works a quarter more for a refresh, half more for `/session`."""

NAMED = re.compile(r"(?<!:):([a-z_]+)")


class Statement:
    """SQL whose parameters have names, as in SQLAlchemy's `text`, so that both can share parts of it."""

    def __init__(self, sql: str) -> None:
        self._numbers: dict[str, int] = {}
        self.sql = NAMED.sub(lambda found: f"${self._numbers.setdefault(found[1], len(self._numbers) + 1)}", sql)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """In the order of their numbers. Raises KeyError where one is missing."""
        return [values[name] for name in self._numbers]


class Found(asyncpg.Record):
    """A row whose columns are attributes, as SQLAlchemy's are."""

    def __getattr__(self, name: str) -> Any:
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(name) from None
        setattr(Found, name, property(itemgetter(name)))  # a tenth of the time from now on, for there are many
        return value


class Driver:
    """At most `size` connections, made when they are needed, the last used first, with `more` settings of the server.
    What it returns is committed."""

    def __init__(self, settings: Settings, *, size: int, more: Mapping[str, str] | None = None) -> None:
        self._url = settings.database_url
        self._options = db.connection_options(settings)
        if settings.prepared_statements:
            self._options["server_settings"] |= BY_INDEX | dict(more or {})
        self._idle: list[asyncpg.Connection[Found]] = []
        self._permits = asyncio.Semaphore(size)

    def row(self, statement: str, *arguments: Any) -> Awaitable[Any]:
        """The one row of a statement, or None. Raises what `db.is_unavailable` knows."""
        return self._answer(asyncpg.Connection.fetchrow, statement, arguments)

    def rows(self, statement: str, *arguments: Any) -> Awaitable[Sequence[Any]]:
        """Raises what `db.is_unavailable` knows."""
        return self._answer(asyncpg.Connection.fetch, statement, arguments)

    async def _answer(self, ask: Callable[..., Awaitable[Any]], statement: str, arguments: Sequence[Any]) -> Any:
        if self._permits.locked():
            with Within(db.POOL_TIMEOUT):
                await self._permits.acquire()
        else:
            await self._permits.acquire()
        connection = None
        try:
            connection = await self._connection()
            answer = await ask(connection, statement, *arguments)
        except asyncpg.PostgresError as error:
            if db.is_gone(error):
                self._leave(connection)
            self._give_back(connection)
            raise
        except BaseException as error:  # cancelled or cut off: nobody knows what it would answer next
            if db.is_gone(error):
                self._leave(connection)
            elif connection is not None:
                connection.terminate()
            raise
        else:
            self._give_back(connection)
            return answer
        finally:
            self._permits.release()

    async def _connection(self) -> "asyncpg.Connection[Found]":
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await db.connect(self._url, record_class=Found, **self._options)

    def _give_back(self, connection: "asyncpg.Connection[Found] | None") -> None:
        if connection is not None and not connection.is_closed():
            self._idle.append(connection)

    def _leave(self, connection: "asyncpg.Connection[Found] | None") -> None:
        """And all that are idle."""
        for each in (connection, *self._idle):
            if each is not None:
                each.terminate()
        self._idle.clear()

    async def close(self) -> None:
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.close(timeout=db.CONNECT_TIMEOUT)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                connection.terminate()
