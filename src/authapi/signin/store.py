"""The SQL of failed sign-ins. A counter is one row; every count is one statement and decides under the row's lock."""

from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core.clock import Clock
from authapi.core.driver import Driver, Statement
from authapi.signin.models import SignInFailures

LONGEST_WAIT = 900
STEPS = 11
"""Levels up to the longest wait: 2^10 seconds are more than 900. None is higher, so a day is enough to forget."""

FORGOTTEN = 24 * 60 * 60
LONGEST_PENDING = 5
"""Seconds after which a try has ended, whatever became of it: longer than a request may take."""

_NOW = "clock_timestamp() + CAST(:offset AS interval)"

_LEFT = f"least(1, greatest(0, 1 - extract(epoch FROM excluded.last_at - f.last_at) / {FORGOTTEN}))"
"""The share of a counter that is not forgotten yet."""

_OPEN = "excluded.let_through AND coalesce(f.blocked_until <= excluded.last_at, true)"

_RECENT = f"f.last_at > excluded.last_at - make_interval(secs => {LONGEST_PENDING})"

_UNDECIDED = f"excluded.let_through AND NOT ({_OPEN}) AND f.pending > 0 AND {_RECENT}"
"""What makes this one wait may be taken back: those before it are still being hashed."""


def counting(source: str, *, through: str, undecided: str, pending: int) -> str:
    """An upsert that counts each row (key, let_through, free, "offset") of `source`; `free`, which all rows share, are
    not followed by a wait. `through` says in SQL whether the try of the row `excluded` is let through where there is a
    row `f` already; it then raises the level, sets the next wait, and is `pending` or not. What is `undecided` counts
    as nothing yet.

    Shares are rounded up: of many that are counted at once each counts as one.
    """
    free = f"(SELECT free FROM {source} LIMIT 1)"
    now = 'clock_timestamp() + counted."offset"'
    level = f"least(ceil(f.level * {_LEFT})::integer + 1, {free} + {STEPS})"
    wait = f"make_interval(secs => least({LONGEST_WAIT}, 2 ^ ({level} - {free} - 1)))"
    return f"""
        INSERT INTO sign_in_failures AS f (key, failures, level, last_at, blocked_until, pending, let_through)
        SELECT counted.key, 1, counted.let_through::integer, {now}, NULL, counted.let_through::integer * {pending},
               counted.let_through
          FROM {source} AS counted
            ON CONFLICT (key) DO UPDATE
           SET let_through = CASE WHEN NOT ({undecided}) THEN {through} END,
               failures = CASE WHEN {through} THEN ceil(f.failures * {_LEFT})::integer + 1
                               WHEN {undecided} THEN f.failures ELSE f.failures + 1 END,
               level = CASE WHEN {through} THEN {level} ELSE f.level END,
               pending = CASE WHEN {through} THEN CASE WHEN {_RECENT} THEN f.pending ELSE 0 END + {pending}
                              ELSE f.pending END,
               last_at = CASE WHEN {through} THEN greatest(f.last_at, excluded.last_at) ELSE f.last_at END,
               blocked_until = CASE WHEN NOT ({through}) THEN f.blocked_until
                                    WHEN {level} > {free} THEN excluded.last_at + {wait} END
    """


CLAIMED = f"""
    claimed AS (
        {counting("attempt", through=_OPEN, undecided=_UNDECIDED, pending=1)}
        RETURNING f.key, f.level, f.let_through
    )
"""
"""Counts each row of `attempt` (see `counting`). What came of it is `claimed`."""

ADDRESS_WAITS = f"EXISTS (SELECT FROM sign_in_failures WHERE key = :address AND blocked_until > {_NOW})"

CLEARED = "UPDATE sign_in_failures SET failures = 0, level = 0, pending = 0, blocked_until = NULL"

_NOTED = audit.sql(
    "sign_in.refused",
    user="CAST(:user_id AS uuid)",
    data="jsonb_build_object('method', CAST(:method AS text))",
    source="",
)

_REFUSED = Statement(f"""
    WITH settled AS (
        UPDATE sign_in_failures SET pending = greatest(pending - 1, 0)
         WHERE key = CAST(:counter AS bytea) AND CAST(:let_through AS boolean)
    ), address AS (
        SELECT CAST(:address AS bytea) AS key, CAST(:let_through AS boolean) AS let_through,
               CAST(:free AS integer) AS free, CAST(:offset AS interval) AS "offset"
         WHERE :address IS NOT NULL
    ), counted AS (
        {counting("address", through="excluded.let_through", undecided="false", pending=0)}
    ), noted AS (
        {_NOTED}
    )
    SELECT true AS done
""")

_TAKEN_BACK = Statement("""
    UPDATE sign_in_failures
       SET failures = greatest(failures - 1, 0),
           level = greatest(level - CAST(:let_through AS boolean)::integer, 0),
           pending = greatest(pending - :let_through::integer, 0),
           blocked_until = CASE WHEN :let_through THEN NULL ELSE blocked_until END
     WHERE key = :key
 RETURNING true AS done
""")

_PURGE = text(f"""
    WITH page AS (
        SELECT key FROM sign_in_failures WHERE key > :after ORDER BY key LIMIT :batch
    ), old AS (
        SELECT key FROM sign_in_failures
         WHERE key IN (SELECT key FROM page) AND last_at < {_NOW} - make_interval(secs => {FORGOTTEN})
           FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM sign_in_failures WHERE key IN (SELECT key FROM old) RETURNING key
    )
    SELECT (SELECT key FROM page ORDER BY key DESC LIMIT 1) AS last, (SELECT count(*) FROM deleted) AS deleted
""")


async def refuse(driver: Driver, values: dict[str, Any]) -> None:
    """Settles a claim, counts the failure against the address, if there is one, and records it."""
    await driver.row(_REFUSED.sql, *_REFUSED.arguments(values))


async def take_back(driver: Driver, key: bytes, *, let_through: bool) -> None:
    """Exactly what a claim has counted."""
    values = {"key": key, "let_through": let_through}
    await driver.row(_TAKEN_BACK.sql, *_TAKEN_BACK.arguments(values))


async def clear(tx: AsyncSession, key: bytes) -> None:
    await tx.execute(text(f"{CLEARED} WHERE key = :key"), {"key": key})


async def by_key(tx: AsyncSession, key: bytes) -> SignInFailures | None:
    return await tx.scalar(select(SignInFailures).where(SignInFailures.key == key))


async def purge(tx: AsyncSession, clock: Clock, *, after: bytes, batch: int) -> Any:
    """Looks at the next `batch` counters, in the order of their keys, and deletes those of them that have been
    forgotten. Returns (last, deleted): the last key it looked at, None at the end, and how many."""
    return (await tx.execute(_PURGE, {"after": after, "batch": batch, "offset": clock.offset})).one()
