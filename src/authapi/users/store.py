"""The SQL of people."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core import db
from authapi.core.context import Context
from authapi.users.models import User
from authapi.users.rules import Address


async def add(
    ctx: Context, tx: AsyncSession, address: Address, *, first_name: str | None, last_name: str | None
) -> User | None:
    """Adds a person, or returns None where the address is taken. The unique key decides, not a prior read."""
    statement = (
        insert(User)
        .values(
            id=ctx.random.id(),
            email=address.display,
            email_key=address.key,
            first_name=first_name,
            last_name=last_name,
            created_at=db.now(ctx.clock),
        )
        .on_conflict_do_nothing(index_elements=[User.email_key])
        .returning(User)
    )
    return await tx.scalar(statement)
