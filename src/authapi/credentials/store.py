"""The SQL of credentials."""

from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core import db
from authapi.core.context import Context
from authapi.credentials.models import Credential


async def add(ctx: Context, tx: AsyncSession, user_id: UUID, method: str, *, step: int) -> UUID:
    """`step` is 1 for what says who somebody is, 2 for what only confirms it."""
    id = ctx.random.id()
    values = {"id": id, "user_id": user_id, "method": method, "step": step, "created_at": db.now(ctx.clock)}
    await tx.execute(insert(Credential).values(values))
    return id
