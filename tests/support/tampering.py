"""Events as they are in the database, and what somebody who owns it could do to them."""

from typing import Any

from sqlalchemy import text

from authapi.audit import service as audit
from authapi.audit import verification
from authapi.core.context import Context
from authapi.core.http import Client

NOBODY = Client("203.0.113.7", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "req-1")


async def record(ctx: Context, times: int = 1, client: Client = NOBODY) -> None:
    for _ in range(times):
        async with ctx.db.begin() as tx:
            await audit.record(ctx, tx, "sign_in.refused", client, method="password")


async def tamper(ctx: Context, *statements: str, **values: Any) -> None:
    """As the owner of the database, past every trigger."""
    async with ctx.db.begin() as tx:
        await tx.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await tx.execute(text(statement), values)


async def faults(ctx: Context) -> dict[int, str]:
    return (await verification.verify(ctx, lambda _: None)).faults


async def seqs(ctx: Context) -> list[int]:
    async with ctx.db() as tx:
        return list((await tx.scalars(text("SELECT seq FROM audit_events ORDER BY chain, seq"))).all())


async def number(ctx: Context, query: str) -> int:
    async with ctx.db() as tx:
        return int((await tx.scalars(text(query))).one())
