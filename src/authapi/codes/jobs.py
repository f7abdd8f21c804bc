"""What is done about one-time secrets from time to time."""

import logging

from authapi.codes import store
from authapi.core.context import Context

BATCH = 1000
KEPT = 7 * 24 * 60 * 60
"""Seconds that an expired one stays: what travels with it is sent along when somebody asks for another one."""

log = logging.getLogger(__name__)


async def purge(ctx: Context) -> None:
    """Deletes what is spent or long expired. Each batch is a transaction of its own."""
    deleted = 0
    batch = BATCH
    while batch >= BATCH:
        async with ctx.db.begin() as tx:
            batch = await store.purge(tx, ctx.clock, kept=KEPT, batch=BATCH)
        deleted += batch
    if deleted:
        log.info("one-time secrets were deleted", extra={"secrets": deleted})
