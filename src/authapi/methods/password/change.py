"""Another password, chosen by somebody who knows the present one."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.codes import service as codes
from authapi.codes.service import PENDING
from authapi.core import devices
from authapi.core.context import Context
from authapi.core.http import Caller, Client
from authapi.core.limits import Limit
from authapi.methods.password import registration, store, strength, trying
from authapi.methods.password.errors import InvalidCredentials
from authapi.methods.password.trying import Owned, Try
from authapi.outbox.messages import PasswordChanged
from authapi.sessions import denylist, ending
from authapi.sessions.denylist import End
from authapi.sessions.models import Session
from authapi.signin import store as counters
from authapi.users import store as users
from authapi.users import telling
from authapi.users.models import User

CHANGE_BY_PERSON = Limit("password.change.person", "10/hour")


async def change(ctx: Context, caller: Caller, *, current: str, password: str) -> None:
    """This session stays. A wrong current password is a failed sign-in.

    Raises TooManyRequests, Busy, WeakPassword, InvalidCredentials.
    """
    await ctx.limiter.hit((CHANGE_BY_PERSON, str(caller.user_id)))
    ctx.hasher.admit()
    async with ctx.db() as tx:
        user = await users.by_id(tx, caller.user_id)
    personal = strength.personal(user) if user is not None else ()
    hash = await strength.hashed(ctx, password, personal=personal)  # before the try is counted, which ends as it must
    attempt = await trying.claim_own(ctx, caller)
    proven = await trying.proven(ctx, attempt, current)
    ends = await _change(ctx, caller, attempt, proven, hash) if proven else None
    if ends is None:
        await trying.refuse(ctx, caller.client, attempt)
        raise InvalidCredentials()
    await denylist.publish(ctx, ends)


async def _change(ctx: Context, caller: Caller, attempt: Try, proven: Owned, hash: str) -> list[End] | None:
    """What to publish, or None where the person is disabled or has another password by now."""
    async with ctx.db.begin() as tx:
        user = await store.still(tx, proven.user_id, proven.hash)
        if user is None:
            return None
        await counters.clear(tx, attempt.counter)
        await replace(ctx, tx, caller.client, user, hash, reason="password_changed", but=caller.session_id)
        await audit.record(ctx, tx, "password.changed", caller.client, user.id, caller.session_id)
        await tell(ctx, tx, caller.client, user)
        return await denylist.lately(ctx, tx, Session.user_id == user.id)


async def replace(
    ctx: Context, tx: AsyncSession, client: Client, user: User, hash: str, *, reason: str, but: UUID | None
) -> None:
    """A step: the new password. All other sessions end and what was sent by mail is void, in the same transaction.

    The person's row must be locked; publish the ended sessions.
    """
    if not await store.change(ctx, tx, user.id, hash):
        await registration.give(ctx, tx, user.id, hash)
    await ending.end_all(ctx, tx, client, user.id, reason=reason, but=but)
    await codes.void(ctx, tx, user.id, *PENDING)


async def tell(ctx: Context, tx: AsyncSession, client: Client, user: User) -> None:
    """A step: the owner learns of it, whoever it was."""
    message = PasswordChanged(device=devices.in_words(client.user_agent), ip=client.ip, at=ctx.clock.now())
    await telling.tell(ctx, tx, client, user, message)
