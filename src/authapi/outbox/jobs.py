"""What is done about messages from time to time."""

import logging
from datetime import timedelta

from authapi.core.context import Context
from authapi.outbox import service, store

BATCH = 1000
KEPT = timedelta(days=30)
TEXT_KEPT = timedelta(days=7)
"""How long the text of a message that failed stays, sealed, for `authapi mail retry`."""

log = logging.getLogger(__name__)


async def requeue(ctx: Context) -> None:
    """Messages that are due, and whose job was lost: with a worker that was broken off, or by a restored backup."""
    async with ctx.db.begin() as tx:
        lost = await store.lost(tx, ctx.clock, batch=BATCH)
        for id in lost:
            await service.enqueue(tx, id)
    if lost:
        log.warning("messages without a job were queued again", extra={"messages": len(lost)})


async def purge(ctx: Context) -> None:
    """Deletes what was sent or given up long ago. Each batch is a transaction of its own."""
    async with ctx.db.begin() as tx:
        await store.wipe(tx, ctx.clock, kept=TEXT_KEPT)
    deleted = BATCH
    while deleted == BATCH:
        async with ctx.db.begin() as tx:
            deleted = await store.purge(tx, ctx.clock, kept=KEPT, batch=BATCH)
