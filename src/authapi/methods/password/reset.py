"""A forgotten password: a link by mail, and a new one."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.codes import service as codes
from authapi.codes.errors import InvalidCode
from authapi.codes.service import Purpose
from authapi.core import deferred, devices
from authapi.core.context import Context
from authapi.core.deferred import Asked
from authapi.core.http import Client
from authapi.core.limits import Limit
from authapi.methods.password import change, claiming, strength
from authapi.outbox.messages import ResetPassword
from authapi.sessions import denylist
from authapi.sessions.denylist import End
from authapi.sessions.models import Session
from authapi.signin import failures
from authapi.users import store as users
from authapi.users import verification
from authapi.users.models import User
from authapi.users.rules import Address
from authapi.users.telling import tell

LIFETIME = 30 * 60
FORGOT_BY_ADDRESS = Limit("password.forgot.address", "30/hour")
FORGOT_BY_MAILBOX = Limit("password.forgot.mailbox", "5/30 minutes", quiet=True)
"""As long as a link lives: while it bites, those that were sent are still good."""

RESET_BY_ADDRESS = Limit("password.reset.address", "60/hour")
FORGOT = "password.forgot"


async def forgot(ctx: Context, client: Client, *, email: Address) -> None:
    """Nothing is looked up: for unknown, known, unverified, locked and disabled it is the same.

    Raises TooManyRequests.
    """
    await ctx.limiter.hit((FORGOT_BY_ADDRESS, client.household), (FORGOT_BY_MAILBOX, email.key))
    async with ctx.db.begin() as tx:
        await ask(ctx, tx, client, email.key)


async def ask(ctx: Context, tx: AsyncSession, client: Client, email_key: str) -> None:
    """A step: the worker sends a link to whoever has this address."""
    await deferred.put_off(ctx, tx, FORGOT, client, {"email_key": email_key})


async def send(ctx: Context, client: Client, asked: Asked) -> None:
    """The job: a link to the stored address. Nothing for nobody and for the disabled."""
    async with ctx.db.begin() as tx:
        user = await users.lock_by_key(tx, asked["email_key"])
        if user is None or user.disabled_at is not None:
            return
        await send_link(ctx, tx, client, user)


async def reset(ctx: Context, client: Client, *, token: str, password: str) -> None:
    """A new password for whoever holds the link. Nobody is signed in by it, so a second step is not passed over.

    Raises TooManyRequests, Busy, InvalidCode, WeakPassword; a weak password leaves the link as it is.
    """
    await ctx.limiter.hit((RESET_BY_ADDRESS, client.household))
    ctx.hasher.admit()
    async with ctx.db() as tx:
        user_id = await codes.owner(ctx, tx, Purpose.RESET_PASSWORD, token)
        user = await users.by_id(tx, user_id) if user_id is not None else None
    if user is None:
        raise InvalidCode()
    hash = await strength.hashed(ctx, password, personal=strength.personal(user))
    async with ctx.db.begin() as tx:
        ends = await _reset(ctx, tx, client, user.id, token, hash)
    if ends is None:
        raise InvalidCode()
    await denylist.publish(ctx, ends)


async def _reset(
    ctx: Context, tx: AsyncSession, client: Client, user_id: UUID, token: str, hash: str
) -> list[End] | None:
    """What to publish, or None where the link is no longer good."""
    user = await users.lock(tx, user_id)
    if user is None or user.disabled_at is not None:
        return None
    if await codes.spend(ctx, tx, Purpose.RESET_PASSWORD, token=token) is None:
        return None
    if user.email_verified_at is None:  # the link has just proved the address
        await claiming.claim(ctx, tx, client, user, hash=hash)
        await verification.verified(ctx, tx, client, user)
    else:
        await change.replace(ctx, tx, client, user, hash, reason="password_reset", but=None)
    await failures.forgive(ctx, tx, user.email_key)
    await audit.record(ctx, tx, "password.reset", client, user.id)
    await change.tell(ctx, tx, client, user)
    return await denylist.lately(ctx, tx, Session.user_id == user.id)


async def send_link(ctx: Context, tx: AsyncSession, client: Client, user: User) -> None:
    """A step: a link for a person, whose row must be locked, to the address that is theirs now.

    Those before stay good until one is used, or strangers who ask for further ones could keep the owner out.
    """
    issued = await codes.issue(
        ctx,
        tx,
        Purpose.RESET_PASSWORD,
        user_id=user.id,
        binding=user.id.bytes,
        lifetime_seconds=LIFETIME,
    )
    message = ResetPassword(
        token=issued.token, minutes=LIFETIME // 60, device=devices.in_words(client.user_agent), ip=client.ip
    )
    await tell(ctx, tx, client, user, message)
    await audit.record(ctx, tx, "password.reset_asked", client, user.id)
