"""An account that was never verified goes to whoever proves its address."""

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.codes import service as codes
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.credentials import store as credentials
from authapi.methods.password import registration
from authapi.sessions import ending
from authapi.users import store as users
from authapi.users.models import User


async def claim(
    ctx: Context,
    tx: AsyncSession,
    client: Client,
    user: User,
    *,
    hash: str,
    first_name: str | None = None,
    last_name: str | None = None,
) -> None:
    """A step: whoever set the account up may have been a squatter, so of what they chose nothing stays: sessions,
    credentials, secrets that were sent, profile, the wish to leave.

    Their row must be locked; publish the ended sessions.
    """
    await ending.end_all(ctx, tx, client, user.id, reason="account_claimed", but=None)
    await codes.void(ctx, tx, user.id)
    await credentials.remove_all(tx, user.id)
    await registration.give(ctx, tx, user.id, hash)
    profile = {"first_name": first_name, "last_name": last_name, "locale": None, "time_zone": None, "picture_url": None}
    await users.change(tx, user.id, **profile, erase_at=None)
    await audit.record(ctx, tx, "user.claimed", client, user.id)
