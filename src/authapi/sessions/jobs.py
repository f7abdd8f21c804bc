"""What is done about sessions and keys from time to time."""

import logging
from uuid import UUID

from authapi.core.context import Context
from authapi.sessions import denylist, keys, store
from authapi.sessions.models import Session

BATCH = 1000

log = logging.getLogger(__name__)


async def purge(ctx: Context) -> None:
    """Deletes the sessions whose end needs no explaining any more. Each batch is a transaction of its own."""
    after: UUID | None = UUID(int=0)
    deleted = 0
    while after is not None:
        async with ctx.db.begin() as tx:
            page = await store.purge(tx, ctx.clock, kept=ctx.settings.tombstone_lifetime, after=after, batch=BATCH)
        after = page.last
        deleted += page.deleted
    if deleted:
        log.info("dead sessions were deleted", extra={"sessions": deleted})


async def publish(ctx: Context, payload: bytes, _: int) -> None:
    """What was promised: a person's ends of the last minutes, which may all have been published before."""
    async with ctx.db() as tx:
        ends = await denylist.lately(ctx, tx, Session.user_id == UUID(bytes=payload))
    await denylist.publish(ctx, ends)


async def maintain_keys(ctx: Context) -> None:
    """Moves on to the next signing key when it is time, and forgets those whose tokens have all expired."""
    await keys.maintain(ctx)
