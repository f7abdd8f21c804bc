"""What is done about messages from time to time."""

import logging
from collections.abc import Awaitable, Callable
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
    """Deletes what was sent or given up long ago, also where the texts of what failed cannot be wiped. Each batch is a
    transaction of its own."""
    try:
        await _in_batches(ctx, store.wipe, TEXT_KEPT)
    except Exception as error:
        log.error("the texts of messages that failed cannot be wiped", exc_info=error)
    await _in_batches(ctx, store.purge, KEPT)


async def _in_batches(ctx: Context, reduce: Callable[..., Awaitable[int]], kept: timedelta) -> None:
    done = BATCH
    while done == BATCH:
        async with ctx.db.begin() as tx:
            done = await reduce(tx, ctx.clock, kept=kept, batch=BATCH)
