"""Statements that many share (`core/sharing.py`).

It is for those that are run all the time, each a transaction of its own. Many of them then take one round trip and one
commit: on a busy instance Postgres works a quarter as much for a refresh (`docs/PERFORMANCE.md`).

Nobody waits for another one's fault: a batch that meets a lock, or something that Postgres does not take, changes
nothing, and each of its calls goes its own way. Behind PgBouncer, which forgets what a connection was told, everyone
does.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import asyncpg

from authapi.core import db, sharing
from authapi.core.driver import NAMED, Driver
from authapi.core.settings import Settings
from authapi.core.sharing import Call, Chosen, Shared

Arguments: TypeAlias = Sequence[Any]

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

    def choose(self, calls: Sequence[Call[Arguments, Any]]) -> Chosen[Arguments, Any]:
        if self._once is None:
            return sharing.in_order(calls)
        now: dict[Any, Call[Arguments, Any]] = {}
        later = []
        for call in calls:
            if len(now) == sharing.MOST or now.setdefault(call.question[self._once], call) is not call:
                later.append(call)
        return [now[key] for key in sorted(now)], later  # so that instances lock their rows in one order


class Batcher:
    """Takes `connections` of its own; with none of them nothing is shared, and it takes those of the driver."""

    def __init__(self, settings: Settings, driver: Driver, *, connections: int) -> None:
        self._driver = driver
        self._impatient = Driver(settings, size=connections, more=TO_EACH_ROW)
        self._queues: dict[Batched, Shared[Arguments, Any]] = {}
        self._shares = connections > 0

    async def row(self, statement: Batched, *arguments: Any) -> Any:
        """The one row for these arguments, or None. What it returns is committed. Raises what `db.is_unavailable`
        knows, of all who shared the statement."""
        if self._shares:
            try:
                return await self._queue(statement).ask(arguments)
            except asyncpg.PostgresError as error:  # it said no, so nothing was done
                if db.is_unavailable(error) and not isinstance(error, MET_A_LOCK):
                    raise
        return await self._driver.row(statement.one, *arguments)

    def _queue(self, statement: Batched) -> Shared[Arguments, Any]:
        queue = self._queues.get(statement)
        if queue is None:
            queue = self._queues[statement] = Shared(
                lambda arguments: self._impatient.row(statement.one, *arguments),
                partial(self._together, statement),
                choose=statement.choose,
                patience=db.POOL_TIMEOUT,  # whoever waited longer would not be there for the answer
            )
        return queue

    async def _together(self, statement: Batched, calls: Sequence[Arguments]) -> list[Any]:
        rows = await self._impatient.rows(statement.many, *map(list, zip(*calls, strict=True)))
        found = {row.n: row for row in rows}
        return [found.get(number) for number in range(1, len(calls) + 1)]

    async def close(self) -> None:
        """Once nobody asks any more. What is under way ends before."""
        await asyncio.gather(*(queue.under_way for queue in self._queues.values() if queue.under_way is not None))
        await self._impatient.close()
