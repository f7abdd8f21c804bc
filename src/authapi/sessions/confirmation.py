"""A session's person proves themselves anew: the sign-in counts as recent from then on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core.context import Context
from authapi.core.http import Caller
from authapi.sessions import denylist, store, tokens
from authapi.sessions.errors import SessionEnded, ended_as
from authapi.users.models import User


@dataclass(frozen=True, slots=True)
class Access:
    """An access token without a refresh token. `expires_in` is in seconds, counted from `now`, the database's time."""

    token: str
    expires_in: int
    now: datetime


async def confirm(ctx: Context, tx: AsyncSession, caller: Caller, user: User) -> Access | None:
    """A step. None where the session is over: raise `refusal` outside."""
    row = await store.authenticate_again(tx, ctx.clock, caller.session_id)
    if row is None:
        return None
    token, lifetime = tokens.issue(
        ctx,
        user_id=user.id,
        session_id=caller.session_id,
        signed_in_at=row.authenticated_at,
        methods=row.methods,
        email_verified=user.email_verified_at is not None,
        now=row.authenticated_at,
        until=row.idle_expires_at,
    )
    return Access(token, lifetime, row.authenticated_at)


async def refusal(ctx: Context, caller: Caller) -> SessionEnded:
    end = await denylist.truth(ctx, caller.session_id)
    return SessionEnded(**ended_as(*(end or ("expired", None))))
