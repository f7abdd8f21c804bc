"""The SQL of credentials."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, insert, select
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


async def methods(tx: AsyncSession, user_id: UUID) -> Sequence[str]:
    """What a person can sign in with."""
    statement = select(Credential.method).where(Credential.user_id == user_id).distinct().order_by(Credential.method)
    return (await tx.scalars(statement)).all()


async def remove_all(tx: AsyncSession, user_id: UUID) -> None:
    """With what the methods keep of them: from here on the person can prove themselves with nothing."""
    await tx.execute(delete(Credential).where(Credential.user_id == user_id))
