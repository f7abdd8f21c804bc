"""Puts messages into the outbox, in the transaction of what they tell; shows them, and sends failed ones again."""

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core import db, queue
from authapi.core.context import Context
from authapi.outbox import contents, languages, store
from authapi.outbox.messages import Message
from authapi.outbox.models import StoredMessage
from authapi.outbox.store import DELIVER

log = logging.getLogger(__name__)

BATCH = 200
HOUR = timedelta(hours=1)


async def put(
    ctx: Context, tx: AsyncSession, message: Message, *, to: str, user_id: UUID | None, locale: str | None
) -> None:
    """A step: the message is sent once the transaction is committed, and never if it is not.

    `to` is the address that is stored, never one that was typed just now. `locale` is a BCP 47 tag or a whole
    `Accept-Language`; what is not spoken here becomes English.
    """
    await store.put(tx, user_id, values(ctx, message, to=to, locale=locale))


def values(ctx: Context, message: Message, *, to: str, locale: str | None) -> dict[str, Any]:
    """The same for a statement of one's own: the parameters of `store.PUT`."""
    id = ctx.random.id()
    return {
        "message": id,
        "kind": contents.kind(message),
        "recipient": to,
        "locale": languages.choose(ctx.settings, locale),
        "sealed": contents.seal(ctx.vault, id, message),
        "patience": store.PATIENCE,
        "offset": ctx.clock.offset,
    }


async def enqueue(tx: AsyncSession, id: UUID) -> None:
    """A step: a job for this message, unless there is one."""
    await queue.enqueue(tx, DELIVER, id.bytes, dedupe_key=f"{DELIVER} {id}")


async def latest(ctx: Context, *, state: str | None, limit: int) -> Sequence[StoredMessage]:
    """The newest come first. Their texts stay sealed."""
    async with ctx.db.begin() as tx:
        return await store.latest(tx, state=state, limit=limit)


async def retry(ctx: Context, ids: Collection[UUID]) -> Sequence[UUID]:
    """Sends failed messages again, for a day from now. Returns those that it could: the text of one that failed a week
    ago is gone."""
    async with ctx.db.begin() as tx:
        revived = await store.revive(tx, ctx.clock, ids)
        for id in revived:
            await enqueue(tx, id)
    return revived


async def retry_failed(ctx: Context) -> AsyncIterator[int]:
    """All that can be sent again, in transactions of a few hundred; yields how many each has queued."""
    after: UUID | None = UUID(int=0)
    while after is not None:
        async with ctx.db.begin() as tx:
            page = await store.failed(tx, after=after, batch=BATCH)
        after = page[-1] if page else None
        if page:
            yield len(await retry(ctx, page))


async def gauges(ctx: Context) -> bytes:
    """For Prometheus, and from the database, because workers have no port; nothing while it cannot be asked."""
    registry = CollectorRegistry()
    finished = Gauge("authapi_messages", "Messages of the last hour.", ["kind", "state"], registry=registry)
    waiting = Gauge("authapi_messages_waiting", "Messages that are to be sent.", registry=registry)
    age = Gauge("authapi_messages_waiting_seconds", "The age of the oldest of them.", registry=registry)
    delay = Gauge("authapi_jobs_waiting_seconds", "The age of the oldest job that is due.", registry=registry)
    try:
        async with ctx.db.begin() as tx:
            delay.set(await queue.waiting(tx))
            number, seconds = await store.waiting(tx, ctx.clock)
            outcomes = await store.outcomes(tx, ctx.clock, within=HOUR)
    except Exception as error:
        if not db.is_unavailable(error):
            raise
        log.warning("the metrics of mail could not be read", extra={"error": type(error).__name__})
        return b""
    waiting.set(number)
    age.set(seconds)
    for kind, state, count in outcomes:
        finished.labels(kind, state).set(count)
    return generate_latest(registry)
