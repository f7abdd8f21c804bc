"""What is done with the events at set times: seal them, take clients off them, delete them."""

import logging
from datetime import datetime, timedelta

from authapi.audit import chains, store
from authapi.audit.chains import Broken, Point
from authapi.audit.models import AuditAnchor, AuditChain
from authapi.audit.verification import PURPOSE, trusted, walk
from authapi.core.context import Context

BATCH = 1000

log = logging.getLogger(__name__)


async def seal(ctx: Context) -> None:
    """Seals what has been added to each chain, after looking through it: nothing that does not fit is ever sealed.

    What was sealed is logged too: logs that are kept elsewhere can tell of a whole database that was put back.
    """
    async with ctx.db() as tx:
        grown = await store.unsealed(tx)
        now = await store.now(tx, ctx.clock)  # after the heads, so later than every event before them
    sealed = {}
    for head, anchor in grown:
        try:
            await _seal(ctx, head, anchor, now)
        except Broken as broken:
            log.critical("an audit chain is broken", extra={"chain": head.chain, "fault": str(broken)})
        else:
            sealed[head.chain] = f"{head.seq} {head.hash.hex()}"
    if sealed:
        log.info("the audit chains are sealed", extra={"chains": sealed})
    await _seal_anew(ctx)


async def _seal(ctx: Context, head: AuditChain, anchor: AuditAnchor | None, now: datetime) -> None:
    """Raises Broken."""
    since = Point(head.cut_seq, head.cut_hash)
    if anchor is not None:
        trusted(ctx, [anchor])
        since = Point(anchor.seq, anchor.hash)
    upto = Point(head.seq, head.hash)
    await walk(ctx, head.chain, since, upto)
    mac = chains.seal(ctx.vault.keys(PURPOSE), head.chain, upto, now)
    async with ctx.db.begin() as tx:
        await store.anchor(tx, head.chain, upto, at=now, mac=mac)


async def _seal_anew(ctx: Context) -> None:
    """Under the current secret what was sealed under an earlier one, so that the earlier one can be removed."""
    keys = ctx.vault.keys(PURPOSE)
    async with ctx.db.begin() as tx:
        for anchor in await store.sealed_with(tx, list(keys)[1:], limit=BATCH):
            if chains.is_sealed(keys, anchor):
                mac = chains.seal(keys, anchor.chain, Point(anchor.seq, anchor.hash), anchor.at)
                await store.seal_anew(tx, anchor, mac)


async def retain(ctx: Context) -> None:
    """Takes address and user agent off old events, and deletes older ones. Each batch is a transaction of its own."""
    blanked, blank = 0, 1
    while blank:
        async with ctx.db.begin() as tx:
            blank = await store.blank(tx, age=timedelta(seconds=ctx.settings.audit_client_lifetime), batch=BATCH)
        blanked += blank
    async with ctx.db() as tx:
        found = await store.chains(tx)
    deleted = sum([await _cut(ctx, chain) for chain in found])
    if blanked or deleted:
        log.info("old audit events were reduced", extra={"without_client": blanked, "deleted": deleted})


async def _cut(ctx: Context, chain: int) -> int:
    deleted, some = 0, 1
    while some:
        async with ctx.db.begin() as tx:
            some = await store.cut(tx, chain, age=timedelta(seconds=ctx.settings.audit_lifetime), batch=BATCH)
        deleted += some
    return deleted
