"""What is done about failed sign-ins from time to time."""

import logging

from authapi.core.context import Context
from authapi.signin import store

BATCH = 1000

log = logging.getLogger(__name__)


async def purge(ctx: Context) -> None:
    """Deletes the counters that have been forgotten. Each batch is a transaction of its own."""
    after: bytes | None = b""
    deleted = 0
    while after is not None:
        async with ctx.db.begin() as tx:
            page = await store.purge(tx, ctx.clock, after=after, batch=BATCH)
        after = page.last
        deleted += page.deleted
    if deleted:
        log.info("forgotten sign-in failures were deleted", extra={"counters": deleted})
