"""SQL for messages."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ScalarSelect, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core import db, queue
from authapi.core.clock import Clock
from authapi.outbox.models import StoredMessage

PATIENCE = timedelta(hours=24)
"""How long it is tried to deliver a message."""

LEASE = timedelta(minutes=2)
"""A try that has not ended after so long has ended with its worker."""

UNDER_WAY = ("queued", "sending")

DELIVER = "mail.deliver"
"""The queue. The key of a message's job is this and the message's id."""

PUT = f"""
    message AS (
        INSERT INTO {StoredMessage.__tablename__} (id, kind, user_id, recipient, locale, sealed, state, tries, deaths,
                                                   created_at, due_at, expires_at)
        SELECT CAST(:message AS uuid), CAST(:kind AS text), person.id, CAST(:recipient AS text), CAST(:locale AS text),
               CAST(:sealed AS bytea), 'queued', 0, 0, t.now, t.now, t.now + CAST(:patience AS interval)
          FROM person, LATERAL (SELECT clock_timestamp() + CAST(:offset AS interval) AS now) AS t
        RETURNING id
    ), {queue.enqueued("message", DELIVER, payload="uuid_send(id)", dedupe_key=f"'{DELIVER} ' || id")}
"""
"""A message to each row (id) of `person`, and its job. Every message goes through this text."""

_PUT = text(f"WITH person AS (SELECT CAST(:user_id AS uuid) AS id), {PUT} SELECT id FROM message")

_CLAIM = text(f"""
    UPDATE {StoredMessage.__tablename__}
       SET state = 'sending', tries = tries + 1, deaths = deaths + CASE state WHEN 'sending' THEN 1 ELSE 0 END,
           due_at = clock_timestamp() + CAST(:offset AS interval) + CAST(:lease AS interval)
     WHERE id = :id AND state IN ('queued', 'sending')
    RETURNING id, kind, user_id, recipient, locale, sealed, tries, deaths, created_at,
              expires_at <= clock_timestamp() + CAST(:offset AS interval) AS is_expired
""")
_END_TRY = text(f"""
    UPDATE {StoredMessage.__tablename__} AS message
       SET state = next.state, last_error = :error, due_at = next.due_at,
           finished_at = CASE next.state WHEN 'failed' THEN next.now END
      FROM (SELECT id, now, now + CAST(:wait AS interval) AS due_at,
                   CASE WHEN :is_final OR now + CAST(:wait AS interval) >= expires_at THEN 'failed' ELSE 'queued' END
                       AS state
              FROM {StoredMessage.__tablename__},
                   LATERAL (SELECT clock_timestamp() + CAST(:offset AS interval) AS now) AS clock
             WHERE id = :id AND state = 'sending' FOR UPDATE OF {StoredMessage.__tablename__}) AS next
     WHERE message.id = next.id
    RETURNING message.state
""")
_LOST = text(f"""
    SELECT message.id FROM {StoredMessage.__tablename__} AS message
     WHERE state IN ('queued', 'sending') AND due_at <= (SELECT clock_timestamp() + CAST(:offset AS interval))
       AND NOT EXISTS (SELECT FROM jobs.pgqueuer AS job
                        WHERE job.dedupe_key = '{DELIVER} ' || message.id AND job.status IN ('queued', 'picked'))
     ORDER BY due_at LIMIT :batch
""")
_WIPE = text(f"""
    UPDATE {StoredMessage.__tablename__} SET sealed = NULL
     WHERE id IN (SELECT id FROM {StoredMessage.__tablename__}
                   WHERE state = 'failed' AND sealed IS NOT NULL
                     AND finished_at < (SELECT clock_timestamp() + CAST(:offset AS interval) - CAST(:kept AS interval))
                   ORDER BY finished_at LIMIT :batch FOR UPDATE SKIP LOCKED)
    RETURNING id
""")
"""Here and below the time stands in a subquery: taken once, it can be looked for in an index."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is now ours to send."""

    id: UUID
    kind: str
    user_id: UUID | None
    recipient: str
    locale: str
    sealed: bytes
    tries: int
    deaths: int
    created_at: datetime
    is_expired: bool


async def put(tx: AsyncSession, user_id: UUID | None, values: Mapping[str, Any]) -> None:
    """Adds a message (see PUT)."""
    await tx.execute(_PUT, {**values, "user_id": user_id})


async def claim(tx: AsyncSession, clock: Clock, id: UUID) -> Claimed | None:
    """None for one that has been sent or given up. One that is being sent is claimed as well: the queue hands out the
    job of a message twice only when the worker that had it is dead."""
    row = (await tx.execute(_CLAIM, {"id": id, "offset": clock.offset, "lease": LEASE})).one_or_none()
    return None if row is None else Claimed(**row._mapping)


async def mark_sent(tx: AsyncSession, clock: Clock, id: UUID) -> None:
    ended = {"state": "sent", "sealed": None, "last_error": None, "finished_at": db.now(clock)}
    await tx.execute(update(StoredMessage).where(StoredMessage.id == id).values(ended))


async def end_try(tx: AsyncSession, clock: Clock, id: UUID, error: str, *, wait: timedelta, is_final: bool) -> str:
    """The state in which it is now: `queued` again, or `failed` when there is no time for another try."""
    values = {"id": id, "offset": clock.offset, "error": error, "wait": wait, "is_final": is_final}
    return cast(str, await tx.scalar(_END_TRY, values))


async def lost(tx: AsyncSession, clock: Clock, *, batch: int) -> Sequence[UUID]:
    """Messages that are due, while the queue knows nothing of them."""
    return (await tx.scalars(_LOST, {"offset": clock.offset, "batch": batch})).all()


async def purge(tx: AsyncSession, clock: Clock, *, kept: timedelta, batch: int) -> int:
    """Deletes a batch of what was sent or given up longer ago, and tells how many. Leaves what another one deletes."""
    old = select(StoredMessage.id).where(StoredMessage.finished_at < _before(clock, kept))
    batch_of_old = old.order_by(StoredMessage.finished_at).limit(batch).with_for_update(skip_locked=True)
    gone = delete(StoredMessage).where(StoredMessage.id.in_(batch_of_old)).returning(StoredMessage.id)
    return len((await tx.scalars(gone)).all())


async def wipe(tx: AsyncSession, clock: Clock, *, kept: timedelta, batch: int) -> int:
    """Nobody sends a message again that failed so long ago, so its text goes; of a batch, and tells of how many."""
    return len((await tx.scalars(_WIPE, {"offset": clock.offset, "kept": kept, "batch": batch})).all())


async def latest(tx: AsyncSession, *, state: str | None, limit: int) -> Sequence[StoredMessage]:
    """The newest come first."""
    found = select(StoredMessage).order_by(StoredMessage.id.desc()).limit(limit)
    return (await tx.scalars(found.where(StoredMessage.state == state) if state else found)).all()


async def revive(tx: AsyncSession, clock: Clock, ids: Collection[UUID]) -> Sequence[UUID]:
    """Those of the messages that had failed and still have a text; they are queued again, as if they were new."""
    now = db.now(clock)
    again = {"state": "queued", "due_at": now, "expires_at": now + PATIENCE, "finished_at": None, "deaths": 0}
    failed = StoredMessage.id.in_(ids), StoredMessage.state == "failed", StoredMessage.sealed.is_not(None)
    return (await tx.scalars(update(StoredMessage).where(*failed).values(again).returning(StoredMessage.id))).all()


async def failed(tx: AsyncSession, *, after: UUID, batch: int) -> Sequence[UUID]:
    """In the order of their ids."""
    ids = select(StoredMessage.id).where(StoredMessage.state == "failed", StoredMessage.sealed.is_not(None))
    return (await tx.scalars(ids.where(StoredMessage.id > after).order_by(StoredMessage.id).limit(batch))).all()


async def waiting(tx: AsyncSession, clock: Clock) -> tuple[int, float]:
    """How many messages are under way, and the age of the oldest in seconds."""
    age = func.extract("epoch", db.now(clock) - func.min(StoredMessage.created_at))
    under_way = select(func.count(), func.coalesce(age, 0)).where(StoredMessage.state.in_(UNDER_WAY))
    count, seconds = (await tx.execute(under_way)).one()
    return count, float(seconds)


async def outcomes(tx: AsyncSession, clock: Clock, *, within: timedelta) -> Sequence[tuple[str, str, int]]:
    """(kind, state, number) of what was sent or given up lately.

    Between two times, because Postgres takes what is after one time for a third of the table."""
    lately = StoredMessage.finished_at.between(_before(clock, within), _before(clock, timedelta(0)))
    counted = select(StoredMessage.kind, StoredMessage.state, func.count()).where(lately)
    rows = await tx.execute(counted.group_by(StoredMessage.kind, StoredMessage.state))
    return [(kind, state, number) for kind, state, number in rows]


def _before(clock: Clock, ago: timedelta) -> ScalarSelect[datetime]:
    return select(db.now(clock) - ago).scalar_subquery()
