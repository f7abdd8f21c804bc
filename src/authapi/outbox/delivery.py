"""Sends what is in the outbox: each message until it has arrived or cannot arrive any more."""

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from authapi.audit import service as audit
from authapi.core import db
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.core.mail import NotSent
from authapi.outbox import contents, rules, store, texts
from authapi.outbox.store import Claimed

NOTING_PAUSES = (0.2, 1.0, 5.0)
"""Seconds between the tries to note what has been sent, for a database that restarts just then."""

SYSTEM = Client("", "")

log = logging.getLogger(__name__)


async def deliver(ctx: Context, payload: bytes, _job_id: int = 0) -> timedelta | None:
    """One try for the message whose id is the payload. Returns after how long the next one is due, or None.

    The try is counted before it begins: one that ends its worker is counted, too. What is marked as sent is never sent
    again; a worker that dies between the server's answer and the mark leaves a message that arrives twice, under one
    Message-ID.
    """
    async with ctx.mail.turn:
        async with ctx.db.begin() as tx:
            claimed = await store.claim(tx, ctx.clock, UUID(bytes=payload))
        if claimed is None:
            return None
        try:
            await _send(ctx, claimed)
        except NotSent as failure:
            return await _note_failure(ctx, claimed, failure)
        except asyncio.CancelledError:
            await asyncio.shield(_give_back(ctx, claimed))
            raise
        await _note_sent(ctx, claimed)
        return None


async def _send(ctx: Context, claimed: Claimed) -> None:
    if claimed.is_expired:
        raise NotSent("Expired", is_final=True)
    if claimed.deaths >= rules.MOST_DEATHS:
        raise NotSent("WorkerDied", is_final=True)
    try:
        message = contents.unseal(ctx.vault, claimed.id, claimed.kind, claimed.sealed)
        written = texts.write(ctx.settings, message, locale=claimed.locale)
        to = texts.on_the_wire(claimed.recipient)
        letter = texts.compose(
            ctx.settings, written, to=to, locale=claimed.locale, name=str(claimed.id), at=claimed.created_at
        )
    except Exception as error:  # an operator's template may raise anything
        log.error("a message cannot be written", extra={"kind": claimed.kind, "error": type(error).__name__})
        raise NotSent(type(error).__name__) from None
    await ctx.mail.send(letter, to=to)


async def _note_sent(ctx: Context, claimed: Claimed) -> None:
    for pause in (*NOTING_PAUSES, None):
        try:
            async with ctx.db.begin() as tx:
                await store.mark_sent(tx, ctx.clock, claimed.id)
            break
        except Exception as error:
            if pause is None or not db.is_unavailable(error):
                raise
            await asyncio.sleep(pause)
    log.info("a message was sent", extra={"kind": claimed.kind, "id": str(claimed.id), "tries": claimed.tries})


async def _give_back(ctx: Context, claimed: Claimed) -> None:
    """The worker is told to stop, which is not the message's fault."""
    async with ctx.db.begin() as tx:
        await store.end_try(tx, ctx.clock, claimed.id, "WorkerStopped", wait=timedelta(0), is_final=False)


async def _note_failure(ctx: Context, claimed: Claimed, failure: NotSent) -> timedelta | None:
    wait = rules.wait(claimed.tries, ctx.random.fraction())
    async with ctx.db.begin() as tx:
        state = await store.end_try(tx, ctx.clock, claimed.id, failure.reason, wait=wait, is_final=failure.is_final)
        if state == "failed":
            await audit.record(ctx, tx, "message.failed", SYSTEM, claimed.user_id, kind=claimed.kind)
    about = {"kind": claimed.kind, "id": str(claimed.id), "tries": claimed.tries, "error": failure.reason}
    if state == "failed":
        log.error("a message is given up; `authapi mail retry` sends it again", extra=about)
        return None
    log.warning(
        "a message could not be sent and is tried again", extra=about | {"seconds": round(wait.total_seconds())}
    )
    return wait
