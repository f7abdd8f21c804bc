"""Micro-batching: callers who want the same thing while others are being served share the next statement.

It is for statements that are run all the time, each a transaction of its own. Many of them then take one round trip
and one commit: on a busy instance Postgres works a quarter as much for a refresh (`docs/PERFORMANCE.md`).

Nobody waits to be joined: who comes alone goes at once, with whoever is ready in the same turn of the loop, and who
comes meanwhile goes next. Nobody waits for another one's fault either: a batch that meets a lock, or something that
Postgres does not take, changes nothing, and each of its calls goes its own way. Behind PgBouncer, which forgets what a
connection was told, everyone does.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextvars import Context
from typing import Any

import asyncpg

from authapi.core import db
from authapi.core.driver import NAMED, Driver
from authapi.core.settings import Settings

MOST = 64
"""Calls in one statement."""

PATIENCE = 20
"""Milliseconds that a batch waits for a lock: as long as whoever has it needs to commit, but not if that one hangs."""

TO_EACH_ROW = {
    "lock_timeout": str(PATIENCE),
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""What is asked for is found row by row, also while the planner takes the tables for small."""

MET_A_LOCK = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


class Batched:
    """A statement over `{calls}`, which is a row `p` for each call: the `columns`, as in `id uuid, name text`, and `n`,
    which the answer must have. `:name`, as in the parts that others share, is the column of a row `person`.

    No two calls with the same value of the column `once` are in one statement, in which they stand in its order.
    """

    def __init__(self, columns: str, sql: str, *, once: str | None = None) -> None:
        typed = [tuple(column.split()) for column in columns.split(",")]
        self._names = [name for name, _ in typed]
        self._once = None if once is None else self._names.index(once)
        names = ", ".join(f'"{name}"' for name in self._names)
        one = ", ".join(f'${number}::{type} AS "{name}"' for number, (name, type) in enumerate(typed, 1))
        many = ", ".join(f"${number}::{type}[]" for number, (_, type) in enumerate(typed, 1))
        sql = NAMED.sub(r"person.\1", sql)
        self.one = sql.replace("{calls}", f"(SELECT {one}, 1 AS n) AS p")
        self.many = sql.replace("{calls}", f"unnest({many}) WITH ORDINALITY AS p ({names}, n)")

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """In the order of the columns. Raises KeyError where one is missing."""
        return [values[name] for name in self._names]

    def together(self, calls: "Sequence[_Call]") -> "tuple[list[_Call], list[_Call]]":
        """Which of them go next, and which later."""
        if self._once is None:
            return list(calls[:MOST]), list(calls[MOST:])
        now: dict[Any, _Call] = {}
        later = []
        for call in calls:
            if len(now) == MOST or now.setdefault(call.arguments[self._once], call) is not call:
                later.append(call)
        return [now[key] for key in sorted(now)], later  # so that instances lock their rows in one order


class _Call:
    __slots__ = ("answer", "arguments", "since")

    def __init__(self, arguments: Sequence[Any]) -> None:
        loop = asyncio.get_running_loop()
        self.arguments = arguments
        self.answer: asyncio.Future[Any] = loop.create_future()
        self.since = loop.time()


class _Queue:
    """One statement: what of it is under way, and who comes next."""

    def __init__(self, driver: Driver, statement: Batched) -> None:
        self._driver, self._statement = driver, statement
        self._next: list[_Call] = []
        self.under_way: asyncio.Task[None] | None = None
        self._is_busy = False

    async def ask(self, arguments: Sequence[Any]) -> Any:
        if self._is_busy:
            return await self._join(arguments, len(self._next))
        self._is_busy = True
        try:
            await asyncio.sleep(0)  # who is ready in this turn of the loop comes along
            if not self._next:
                return await self._driver.row(self._statement.one, *arguments)
            answer = self._join(arguments, 0)
        finally:
            self._go_on()
        return await answer

    def _join(self, arguments: Sequence[Any], place: int) -> Awaitable[Any]:
        call = _Call(arguments)
        self._next.insert(place, call)
        return call.answer

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        too_late = loop.time() - db.POOL_TIMEOUT  # whoever waited longer would not be there for the answer
        _refuse([call for call in self._next if call.since < too_late], TimeoutError())
        waiting = [call for call in self._next if not call.answer.done()]
        calls, self._next = self._statement.together(waiting)
        self._is_busy = bool(calls)
        if calls:  # in no caller's name: it is neither cancelled with one nor a part of one's trace
            self.under_way = loop.create_task(self._together(calls), context=Context())

    async def _together(self, calls: Sequence[_Call]) -> None:
        try:
            columns = map(list, zip(*(call.arguments for call in calls), strict=True))
            rows = await self._driver.rows(self._statement.many, *columns)
        except Exception as error:
            _refuse(calls, error)
        else:
            _answer(calls, rows)
        finally:
            self._go_on()


def _answer(calls: Sequence[_Call], rows: Iterable[Any]) -> None:
    found = {row.n: row for row in rows}
    for number, call in enumerate(calls, 1):
        if not call.answer.done():
            call.answer.set_result(found.get(number))


def _refuse(calls: Sequence[_Call], error: Exception) -> None:
    for call in calls:
        if not call.answer.done():
            call.answer.set_exception(error)
            call.answer.exception()  # whether or not its caller is still there to hear it


class Batcher:
    """Takes `connections` of its own; with none of them nothing is shared, and it takes those of the driver."""

    def __init__(self, settings: Settings, driver: Driver, *, connections: int) -> None:
        self._driver = driver
        self._impatient = Driver(settings, size=connections, more=TO_EACH_ROW)
        self._queues: dict[Batched, _Queue] = {}
        self._shares = connections > 0

    async def row(self, statement: Batched, *arguments: Any) -> Any:
        """The one row for these arguments, or None. What it returns is committed. Raises what `db.is_unavailable`
        knows, of all who shared the statement."""
        if self._shares:
            queue = self._queues.get(statement)
            if queue is None:
                queue = self._queues[statement] = _Queue(self._impatient, statement)
            try:
                return await queue.ask(arguments)
            except asyncpg.PostgresError as error:  # it said no, so nothing was done
                if db.is_unavailable(error) and not isinstance(error, MET_A_LOCK):
                    raise
        return await self._driver.row(statement.one, *arguments)

    async def close(self) -> None:
        """Once nobody asks any more. What is under way ends before."""
        await asyncio.gather(*(queue.under_way for queue in self._queues.values() if queue.under_way is not None))
        await self._impatient.close()
