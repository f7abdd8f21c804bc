"""Tables with many rows, and what a migration keeps others from while it changes them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import asyncpg

HOT = ("users", "credentials", "passwords", "sessions", "audit_events")
"""What sign-ins and refreshes read and write."""

FILL_PEOPLE = """
    INSERT INTO users (id, email, email_key, created_at)
    SELECT gen_random_uuid(), n || '@example.com', n || '@example.com', now() FROM generate_series(1, $1::int) AS n
"""
FILL = (
    "INSERT INTO credentials (id, user_id, method, step, created_at) SELECT id, id, 'password', 1, now() FROM users",
    "INSERT INTO passwords (credential_id, hash, set_at) SELECT id, repeat('x', 97), now() FROM credentials",
    """
    INSERT INTO sessions (id, user_id, generation, token_hash, created_at, authenticated_at, rotated_at, idle_lifetime,
                          idle_expires_at, methods, ip, user_agent)
    SELECT gen_random_uuid(), id, 0, decode(repeat('00', 32), 'hex'), now(), now(), now(), 1, now(), '{pwd}',
           '203.0.113.9', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
      FROM users, generate_series(1, $1::int)
    """,
    """
    INSERT INTO audit_events (id, name, at, user_id, ip, user_agent, request_id, data)
    SELECT gen_random_uuid(), 'sign_in.passed', now() - n * interval '1 s', id, '203.0.113.9', 'Firefox', '', '{}'
      FROM users, generate_series(1, $1::int) AS n
    """,
)

_LOCKS = """
    SELECT clock_timestamp() AS now, l.pid, l.relation::regclass::text AS relation, l.mode, l.granted
      FROM (SELECT) AS always
      LEFT JOIN pg_locks AS l
        ON l.locktype = 'relation' AND l.pid <> pg_backend_pid() AND l.relation::regclass::text = ANY($1)
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
"""Locks that keep out writers, or everybody."""

SOMEBODY = (
    "UPDATE sessions SET replayed_at = now() WHERE id = (SELECT id FROM sessions ORDER BY id LIMIT 1)",
    "UPDATE users SET first_name = 'Ada' WHERE id = (SELECT id FROM users ORDER BY id LIMIT 1)",
    """
    INSERT INTO audit_events (id, name, at, ip, user_agent, request_id, data)
    VALUES (gen_random_uuid(), 'sign_in.passed', now(), '', '', '', '{}')
    """,
)


async def fill(connection: "asyncpg.Connection[asyncpg.Record]", *, people: int, each: int) -> None:
    """So many people, and so many sessions and events of each."""
    await connection.execute(FILL_PEOPLE, people)
    for statement in FILL:
        await connection.execute(statement, *([each] if "$1" in statement else []))
    await connection.execute("ANALYZE")


@dataclass
class Watch:
    """Looks at the locks again and again, and does what people do beside it. All times are in seconds."""

    url: str
    held: float = 0.0
    """The longest that one lock was held, from the last look before it to the first after it."""
    waited: int = 0
    """How often a lock was seen waited for."""
    longest: float = 0.0
    """The longest that somebody else's statement took."""
    looks: int = 0
    is_over: bool = False
    _since: dict[tuple[object, ...], float] = field(default_factory=dict)

    async def until(self, is_done: Callable[[], bool]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            tasks.create_task(self._use())
            while not is_done():  # noqa: ASYNC110  (a thread sets no asyncio.Event)
                await asyncio.sleep(0.005)
            self.is_over = True

    async def _look(self) -> None:
        connection = await asyncpg.connect(self.url)
        before = None
        while not self.is_over:
            rows = await connection.fetch(_LOCKS, HOT)
            now = rows[0]["now"].timestamp()
            self.looks += 1
            seen = {tuple(row.values())[1:4] for row in rows if row["granted"]}
            self.waited += any(row["granted"] is False for row in rows)
            for lock in seen - self._since.keys():
                self._since[lock] = before or now
            for lock in self._since.keys() - seen:
                self.held = max(self.held, now - self._since.pop(lock))
            before = now
        await connection.close()

    async def _use(self) -> None:
        connection = await asyncpg.connect(self.url)
        while not self.is_over:
            for statement in SOMEBODY:
                began = time.monotonic()
                await connection.execute(statement)
                self.longest = max(self.longest, time.monotonic() - began)
        await connection.close()
