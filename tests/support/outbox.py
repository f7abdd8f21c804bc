"""Puts messages into the outbox, and looks at what the database has of them."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from authapi.core.context import Context
from authapi.outbox import service
from authapi.outbox.messages import Message, VerifyAddress

ADA = "ada@example.com"
TOKEN = "a-token-that-nobody-may-find-in-the-database"
CODE = "471108"
VERIFY = VerifyAddress(TOKEN, CODE, 1440, "Firefox on Linux", "203.0.113.9")


async def put(ctx: Context, message: Message = VERIFY, *, to: str = ADA, locale: str | None = None) -> UUID:
    async with ctx.db.begin() as tx:
        await service.put(ctx, tx, message, to=to, user_id=None, locale=locale)
    return (await row(ctx))["id"]  # type: ignore[no-any-return]


async def row(ctx: Context) -> dict[str, Any]:
    """The newest message, whole."""
    async with ctx.single.connect() as connection:
        found = await connection.execute(text("SELECT * FROM messages ORDER BY id DESC LIMIT 1"))
        return dict(found.mappings().one())


async def queued(ctx: Context) -> list[bytes]:
    """The payloads of the jobs for mail, as any other connection sees them."""
    async with ctx.single.connect() as connection:
        jobs = await connection.execute(text("SELECT payload FROM jobs.pgqueuer WHERE entrypoint = 'mail.deliver'"))
        return list(jobs.scalars())
