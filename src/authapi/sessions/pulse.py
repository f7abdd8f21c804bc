"""Twice a second every process asks Postgres what all of them share: the epoch, the keys, the time."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from authapi.core.context import Context
from authapi.core.settings import Misconfigured
from authapi.sessions import keys, store

INTERVAL = 0.5
"""Seconds; an end that Redis could not be told of is honoured everywhere within two of them."""

CATCH_UP_INTERVAL = 0.1

log = logging.getLogger(__name__)


async def beat(ctx: Context) -> None:
    """One statement; a second one only when the keys have changed."""
    heard, began = ctx.heard, time.monotonic()
    raised = heard.raised
    row = await store.shared_state(ctx.driver)
    ctx.clock.hear(row.now)
    if heard.raised == raised:
        heard.epoch = row.epoch
    heard.at = began
    if row.keys_version != heard.keys_version or ctx.keyring.is_empty:
        await keys.load(ctx)
        heard.keys_version = row.keys_version


async def catch_up(ctx: Context) -> None:
    """Waits for news that are younger than this call, for a key that is not known yet. All who wait share one beat, and
    there are no more of these than of the regular ones."""
    heard = ctx.heard
    if heard.catching_up is None or heard.catching_up.done():
        heard.catching_up = asyncio.create_task(_beat_when_due(ctx))
    await asyncio.shield(heard.catching_up)


async def _beat_when_due(ctx: Context) -> None:
    await asyncio.sleep(max(0.0, ctx.heard.at + CATCH_UP_INTERVAL - time.monotonic()))
    await beat(ctx)


@asynccontextmanager
async def beating(ctx: Context) -> AsyncIterator[None]:
    """Beats once before it begins, so that nothing is served without keys, then until it ends."""
    await beat(ctx)
    task = asyncio.create_task(_beat_on(ctx))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _beat_on(ctx: Context) -> None:
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            await beat(ctx)
        except Misconfigured as error:
            log.error("the keys cannot be read", extra={"reason": str(error)})
        except Exception as error:  # whatever it is, the next beat tries again
            log.warning("postgres did not answer the pulse", extra={"error": type(error).__name__})
