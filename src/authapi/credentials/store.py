"""The SQL of credentials."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.credentials.models import Credential


def added(method: str, *, step: int) -> str:
    """An INSERT for each row (id) of `person`, with the parameters `credential` and `offset`. `step` is 1 for what
    says who somebody is, 2 for what only confirms it."""
    return f"""
        INSERT INTO credentials (id, user_id, method, step, created_at)
        SELECT CAST(:credential AS uuid), person.id, '{method}', {step},
               clock_timestamp() + CAST(:offset AS interval)
          FROM person
    """


async def methods(tx: AsyncSession, user_id: UUID) -> Sequence[str]:
    """What a person can sign in with."""
    statement = select(Credential.method).where(Credential.user_id == user_id).distinct().order_by(Credential.method)
    return (await tx.scalars(statement)).all()


async def remove_all(tx: AsyncSession, user_id: UUID) -> None:
    """With what the methods keep of them: from here on the person can prove themselves with nothing."""
    await tx.execute(delete(Credential).where(Credential.user_id == user_id))
