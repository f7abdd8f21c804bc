"""What an operator does about passwords."""

from authapi.core.context import Context
from authapi.core.http import Client
from authapi.methods.password import reset
from authapi.signin import oversight
from authapi.users.models import User


async def send_reset(ctx: Context, client: Client, who: str) -> User:
    """A link to choose a new password, as if the person had asked; the disabled get none. Raises UnknownPerson."""
    async with ctx.db.begin() as tx:
        user = await oversight.named(tx, who)
        await reset.ask(ctx, tx, client, user.email_key)
    return user
