"""A message to a person."""

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core.context import Context
from authapi.core.http import Client
from authapi.outbox import service as outbox
from authapi.outbox.messages import Message
from authapi.users.models import User


async def tell(
    ctx: Context, tx: AsyncSession, client: Client, user: User, message: Message, *, to: str | None = None
) -> None:
    """A step: in their language, or else in that of the client; to the address they have, or to `to`."""
    locale = user.locale or client.accept_language
    await outbox.put(ctx, tx, message, to=to or user.email, user_id=user.id, locale=locale)
