"""Somebody proves their address, or asks for another link."""

import json
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.codes import service as codes
from authapi.codes.errors import InvalidCode
from authapi.codes.service import Purpose, Spent
from authapi.core import deferred
from authapi.core.context import Context
from authapi.core.deferred import Asked
from authapi.core.http import Caller, Client
from authapi.core.limits import Limit
from authapi.methods.password import claiming
from authapi.sessions import denylist
from authapi.sessions.errors import TokenMissing
from authapi.sessions.models import Session
from authapi.users import store as users
from authapi.users import verification
from authapi.users.models import User
from authapi.users.rules import Address
from authapi.users.verification import MAIL_BY_MAILBOX

VERIFY_BY_ADDRESS = Limit("email.verify.address", "60/hour")
RESEND_BY_ADDRESS = Limit("email.resend.address", "30/hour")
RESEND = "email.resend"


async def verify(
    ctx: Context, client: Client, *, token: str | None = None, email: Address | None = None, code: str | None = None
) -> str:
    """By link, or by address and code; from any device, and without being signed in. Returns the address.

    Raises TooManyRequests, InvalidCode.
    """
    await ctx.limiter.hit((VERIFY_BY_ADDRESS, client.household))
    async with ctx.db.begin() as tx:
        user = await _presented(ctx, tx, token) if token is not None else await _named(tx, email)
        bound = verification.binding(email.key) if email is not None else b""
        spent = await codes.spend(ctx, tx, Purpose.VERIFY_ADDRESS, token=token, binding=bound, code=code)
        if spent is None or user is None or user.disabled_at is not None:
            if token is None:  # a guess; also for an address that belongs to nobody, to be the same work
                await audit.record(ctx, tx, "email.code_refused", client, user.id if user else None)
            ends = None
        else:
            await _verified(ctx, tx, client, user, spent)
            ends = await denylist.lately(ctx, tx, Session.user_id == user.id)
    if user is None or ends is None:
        raise InvalidCode()
    await denylist.publish(ctx, ends)
    return user.email


async def _presented(ctx: Context, tx: AsyncSession, token: str) -> User | None:
    """Whose link it is, locked: before the secret, as everybody locks them."""
    user_id = await codes.owner(ctx, tx, Purpose.VERIFY_ADDRESS, token)
    return await users.lock(tx, user_id) if user_id is not None else None


async def _named(tx: AsyncSession, email: Address | None) -> User | None:
    return await users.lock_by_key(tx, email.key) if email is not None else None


async def _verified(ctx: Context, tx: AsyncSession, client: Client, user: User, spent: Spent) -> None:
    if spent.data:
        await claiming.claim(ctx, tx, client, user, **json.loads(spent.data))
    await verification.verified(ctx, tx, client, user)


async def resend(ctx: Context, client: Client, *, caller: Caller | None, email: Address | None) -> None:
    """Another link and code, for the person who asks or for an address. Nothing is looked up, so nothing is told.

    Raises TokenMissing with neither, TooManyRequests.
    """
    if caller is None and email is None:
        raise TokenMissing()
    mailbox = str(caller.user_id) if caller is not None else email.key if email is not None else ""
    await ctx.limiter.hit((RESEND_BY_ADDRESS, client.household), (MAIL_BY_MAILBOX, mailbox))
    if ctx.settings.email_verification == "off":
        return
    asked = {"user_id": str(caller.user_id)} if caller is not None else {"email_key": mailbox}
    async with ctx.db.begin() as tx:
        await deferred.put_off(ctx, tx, RESEND, client, asked)


async def send_again(ctx: Context, client: Client, asked: Asked) -> None:
    """The job. Who is not signed in has signed up last, it is supposed: what they chose then is sent along."""
    async with ctx.db.begin() as tx:
        is_known = "user_id" in asked
        user = await (users.lock(tx, UUID(asked["user_id"])) if is_known else users.lock_by_key(tx, asked["email_key"]))
        if user is None or user.disabled_at is not None or user.email_verified_at is not None:
            return
        data = b"" if is_known else await codes.latest_data(ctx, tx, Purpose.VERIFY_ADDRESS, user.id)
        await verification.send(ctx, tx, client, user, data=data)
