"""The SQL of sessions. Times are the database's; `offset` is zero outside tests."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from authapi.audit import service as audit
from authapi.core import db
from authapi.core.batches import Batched, Batcher
from authapi.core.clock import Clock
from authapi.core.driver import Driver
from authapi.core.http import Client
from authapi.sessions.models import Session
from authapi.sessions.rotation import RefreshToken
from authapi.users.models import User

Found: TypeAlias = Any
"""A row of just the columns that its docstring names."""

_NOW = "(clock_timestamp() + CAST(:offset AS interval))"

_ROTATE = Batched(
    "id uuid, presented bytea, successor bytea, generation bigint, salt bytea, ip text, user_agent text, off interval",
    """
    UPDATE sessions AS s
       SET generation = p.generation, token_hash = p.successor, salt = p.salt, rotated_at = clock_timestamp() + p.off,
           replayed_at = NULL, ip = p.ip, user_agent = p.user_agent,
           idle_expires_at = least(clock_timestamp() + p.off + make_interval(secs => s.idle_lifetime),
                                   s.absolute_expires_at)
      FROM {calls}, users AS u
     WHERE s.id = p.id AND s.token_hash = p.presented AND s.ended_at IS NULL
       AND s.idle_expires_at > clock_timestamp() + p.off
       AND u.id = s.user_id AND u.disabled_at IS NULL
 RETURNING p.n, s.user_id, s.authenticated_at, s.methods, s.idle_expires_at, s.rotated_at AS now,
           u.email_verified_at IS NOT NULL AS email_verified
    """,
)

_VIEW = Batched(
    "id uuid, off interval",
    """
    SELECT p.n, u.id AS user_id, u.email, u.email_verified_at IS NOT NULL AS email_verified, u.first_name, u.last_name,
           u.locale, u.time_zone, u.picture_url, u.created_at AS user_created_at, s.id, s.created_at,
           greatest(s.rotated_at, s.replayed_at) AS last_used_at, s.idle_expires_at AS expires_at, s.ip, s.user_agent,
           s.label,
           ARRAY(SELECT DISTINCT method FROM credentials WHERE user_id = u.id ORDER BY method) AS methods
      FROM {calls} JOIN sessions AS s ON s.id = p.id JOIN users AS u ON u.id = s.user_id
     WHERE s.ended_at IS NULL AND s.idle_expires_at > clock_timestamp() + p.off AND u.disabled_at IS NULL
    """,
)

_SHARED_STATE = "SELECT epoch, keys_version, clock_timestamp() AS now FROM shared_state"

STARTED = f"""
    started AS (
        INSERT INTO sessions (id, user_id, generation, token_hash, created_at, authenticated_at, rotated_at, methods,
                              idle_lifetime, idle_expires_at, absolute_expires_at, ip, user_agent)
        SELECT CAST(:session AS uuid), person.id, 0, CAST(:token_hash AS bytea), t.now, t.now, t.now,
               CAST(:methods AS text[]), CAST(:idle_lifetime AS integer),
               least(t.now + make_interval(secs => CAST(:idle_lifetime AS integer)),
                     t.now + make_interval(secs => CAST(:absolute_lifetime AS integer))),
               t.now + make_interval(secs => CAST(:absolute_lifetime AS integer)),
               CAST(:ip AS text), CAST(:user_agent AS text)
          FROM person, LATERAL (SELECT {_NOW} AS now) AS t
        RETURNING id AS session, created_at, idle_expires_at
    ), room AS (
        SELECT CAST(:session AS uuid) AS session,
               end_surplus_sessions(person.id, CAST(:session AS uuid), CAST(:others AS integer),
                                    CAST(:offset AS interval)) AS ended
          FROM person
    )
"""
"""A session for each row (id) of `person`, which must be locked; of their other live ones only the `others` newest
stay. Returns `started` and the ids of those that made `room`. Every sign-in goes through this text."""


def familiar(person: str) -> str:
    """Whether somebody has signed in from this place with this user agent before, as far as sessions are remembered;
    also who never has signed in at all. An IPv6 address counts by its /64, as everywhere."""
    return f"""
        (EXISTS (SELECT FROM sessions AS s
                  WHERE s.user_id = {person} AND s.user_agent = CAST(:user_agent AS text)
                    AND CASE WHEN strpos(s.ip, ':') > 0
                             THEN s.ip::inet <<= CAST(CAST(:household AS text) AS inet)
                             ELSE s.ip = CAST(:ip AS text) END)
         OR NOT EXISTS (SELECT FROM sessions AS s WHERE s.user_id = {person})
        AND NOT EXISTS (SELECT FROM audit_events AS e WHERE e.user_id = {person} AND e.name = 'sign_in.passed'))
    """


_START = text(f"""
    WITH person AS (SELECT CAST(:user_id AS uuid) AS id), {STARTED}
    SELECT started.created_at, started.idle_expires_at, room.ended, {familiar("person.id")} AS is_familiar
      FROM person, started, room
""")

_ENDED = audit.sql(
    "session.ended",
    user="ended.user_id",
    session="ended.id",
    data="jsonb_build_object('reason', ended.end_reason)",
    source="FROM ended JOIN asked AS person ON person.id = ended.id",
)

_LOG_OUT = Batched(
    "id uuid, seconds integer, event uuid, ip text, user_agent text, request_id text, offset interval",
    f"""
    WITH asked AS (
        SELECT * FROM {{calls}}
    ), ended AS (
        UPDATE sessions AS s SET ended_at = {_NOW}, end_reason = 'logout', ended_by = s.id
          FROM asked AS person
         WHERE s.id = person.id AND s.ended_at IS NULL
        RETURNING s.id, s.user_id, s.ended_at, s.end_reason
    ), noted AS (
        {_ENDED}
    )
    SELECT asked.n, ended.id, ended.ended_at, ended.end_reason FROM ended JOIN asked ON asked.id = ended.id
     UNION ALL
    SELECT person.n, s.id, s.ended_at, s.end_reason FROM asked AS person JOIN sessions AS s ON s.id = person.id
     WHERE coalesce(s.ended_at > {_NOW} - make_interval(secs => person.seconds), false)
    """,
    once="id",
)
"""The second look is by the id whatever the planner thinks: with `coalesce` the index of those that have ended does not
fit, which it takes for small while few have, and would read whole."""

_PURGE = text(f"""
    WITH page AS (
        SELECT id FROM sessions WHERE id > :after ORDER BY id LIMIT :batch
    ), dead AS (
        SELECT id FROM sessions
         WHERE id IN (SELECT id FROM page) AND least(ended_at, idle_expires_at) < {_NOW} - make_interval(secs => :kept)
           FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM sessions WHERE id IN (SELECT id FROM dead) RETURNING id
    )
    SELECT (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last, (SELECT count(*) FROM deleted) AS deleted
""")


async def rotate(
    batcher: Batcher, clock: Clock, presented: RefreshToken, successor: RefreshToken, salt: bytes, client: Client
) -> Found | None:
    """The claim: one statement, one commit. None where the presented token is not the live session's current one.

    By the driver and shared: a third of the time that it takes through SQLAlchemy (docs/PERFORMANCE.md).
    """
    return await batcher.row(
        _ROTATE,
        presented.session_id,
        presented.hash,
        successor.hash,
        successor.generation,
        salt,
        client.ip,
        client.user_agent,
        clock.offset,
    )


async def view(batcher: Batcher, clock: Clock, id: UUID) -> Found | None:
    """A live session, whose it is, and what they can sign in with; None where it is over or the person disabled.

    By the driver and shared: a fifth of the time that it takes through SQLAlchemy's ORM (docs/PERFORMANCE.md).
    """
    return await batcher.row(_VIEW, id, clock.offset)


async def shared_state(driver: Driver) -> Found:
    """What all instances share, and the time: (epoch, keys_version, now).

    By the driver: every process asks twice a second for ever, and is idle most of the time (docs/PERFORMANCE.md).
    """
    return await driver.row(_SHARED_STATE)


async def start(tx: AsyncSession, parameters: Mapping[str, Any]) -> Found:
    """Adds a session (see STARTED): (created_at, idle_expires_at, ended, is_familiar)."""
    return (await tx.execute(_START, parameters)).one()


async def log_out(batcher: Batcher, id: UUID, seconds: int, values: Mapping[str, Any]) -> Found | None:
    """Ends a session, on record: (id, ended_at, end_reason), also where it ended before, in the last so many seconds.
    None where it did not, or just now and elsewhere.

    By the driver and shared: one statement instead of five and a transaction's two (docs/PERFORMANCE.md).
    """
    return await batcher.row(_LOG_OUT, *_LOG_OUT.arguments({**values, "id": id, "seconds": seconds}))


async def authenticate_again(tx: AsyncSession, clock: Clock, id: UUID) -> Found | None:
    """A live session's person has proved themselves anew: (methods, idle_expires_at, authenticated_at)."""
    statement = (
        update(Session)
        .where(Session.id == id, Session.ended_at.is_(None), Session.idle_expires_at > db.now(clock))
        .values(authenticated_at=db.now(clock))
        .returning(Session.methods, Session.idle_expires_at, Session.authenticated_at)
    )
    return (await tx.execute(statement)).one_or_none()


async def locked(tx: AsyncSession, clock: Clock, id: UUID) -> Found | None:
    """The session under its row lock, with the time. Waits for the lock as long as a statement may take."""
    statement = (
        select(
            Session,
            User.disabled_at,
            User.email,
            User.locale,
            User.email_verified_at.is_not(None).label("email_verified"),
            db.now(clock).label("now"),
        )
        .join(User, User.id == Session.user_id)
        .where(Session.id == id)
        .with_for_update(of=Session)
    )
    return (await tx.execute(statement)).one_or_none()


async def lock_owner(tx: AsyncSession, id: UUID) -> None:
    """Locks the person whose session it is, against another sign-in and another logout of many."""
    owner = select(Session.user_id).where(Session.id == id).scalar_subquery()
    await tx.execute(select(User.id).where(User.id == owner).with_for_update(key_share=True))


async def end(tx: AsyncSession, clock: Clock, reason: str, by: UUID | None, *which: Any) -> Sequence[Found]:
    """Ends the live sessions that match. Returns (id, user_id, ended_at) of each that this call ended."""
    statement = (
        update(Session)
        .where(Session.ended_at.is_(None), *which)
        .values(ended_at=db.now(clock), end_reason=reason, ended_by=by)
        .returning(Session.id, Session.user_id, Session.ended_at)
    )
    return (await tx.execute(statement)).all()


async def live(tx: AsyncSession, clock: Clock, user_id: UUID) -> Sequence[Session]:
    """A person's sessions that still work, the latest used first."""
    statement = (
        select(Session)
        .where(Session.user_id == user_id, Session.ended_at.is_(None), Session.idle_expires_at > db.now(clock))
        .order_by(func.greatest(Session.rotated_at, Session.replayed_at).desc())
    )
    return (await tx.scalars(statement)).all()


async def rename(tx: AsyncSession, clock: Clock, id: UUID, user_id: UUID, label: str | None) -> Session | None:
    """The session with its new name, or None where the person has no such live one."""
    statement = (
        update(Session)
        .where(Session.id == id, Session.user_id == user_id)
        .where(Session.ended_at.is_(None), Session.idle_expires_at > db.now(clock))
        .values(label=label)
        .returning(Session)
    )
    return await tx.scalar(statement)


async def by_id(tx: AsyncSession, id: UUID) -> Session | None:
    return await tx.get(Session, id)


async def end_of(single: AsyncEngine, id: UUID) -> Found | None:
    """(ended_at, end_reason) of a session, or None where there is no such row."""
    async with single.connect() as connection:
        statement = select(Session.ended_at, Session.end_reason).where(Session.id == id)
        return (await connection.execute(statement)).one_or_none()


async def ended_within(
    tx: AsyncSession, clock: Clock, seconds: int, *which: Any, limit: int | None = None
) -> Sequence[Found]:
    """(id, ended_at, end_reason) of every session that ended in the last so many seconds, the latest first.

    The time stands in a subquery, so that it is taken once and the index can be used.
    """
    since = select(db.now(clock) - timedelta(seconds=seconds)).scalar_subquery()
    statement = select(Session.id, Session.ended_at, Session.end_reason).where(Session.ended_at > since, *which)
    statement = statement.order_by(Session.ended_at.desc()).limit(limit)
    return (await tx.execute(statement)).all()


async def purge(tx: AsyncSession, clock: Clock, *, kept: int, after: UUID, batch: int) -> Found:
    """Looks at the next `batch` sessions, in the order of their ids, and deletes those of them that ended or expired
    more than `kept` seconds ago. Returns (last, deleted): the last id it looked at, None at the end, and how many.

    No index could find the expired ones (see `Session`), and a look at all of them at once would take too long.
    """
    parameters = {"kept": kept, "after": after, "batch": batch, "offset": clock.offset}
    return (await tx.execute(_PURGE, parameters)).one()
