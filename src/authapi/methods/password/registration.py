"""Sign up with an e-mail address and a password."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core import deferred
from authapi.core.context import Context
from authapi.core.deferred import Asked
from authapi.core.http import Client
from authapi.core.limits import Limit
from authapi.methods.password import store, strength
from authapi.methods.password.errors import EmailTaken
from authapi.methods.password.service import METHOD
from authapi.sessions import starting
from authapi.sessions.starting import Started
from authapi.signin import service as signin
from authapi.signin.service import AMR, SignedIn
from authapi.users import store as users
from authapi.users import verification
from authapi.users.rules import Address

SIGNUP_BY_ADDRESS = Limit("password.signup.address", "30/hour")
SIGNUP_BY_MAILBOX = Limit("password.signup.mailbox", "10/day", quiet=True)
"""Mails that strangers can have sent by signing up with an address. While it bites, there is an account, and its owner
gets in by resetting the password; so nothing else that anybody asks for may count against it."""

REGISTER = "password.register"


async def sign_up(
    ctx: Context,
    client: Client,
    *,
    email: Address,
    password: str,
    first_name: str | None,
    last_name: str | None,
    remember: bool,
) -> SignedIn | None:
    """A new person, their password and their first session, in one transaction; None where the address must be proved
    first. Then a free and a taken one are the same work: what differs is left to a job.

    Raises TooManyRequests, Busy, WeakPassword, EmailTaken.
    """
    must_verify = ctx.settings.email_verification == "required"
    mailbox = ((SIGNUP_BY_MAILBOX, email.key),) if must_verify else ()
    await ctx.limiter.hit((SIGNUP_BY_ADDRESS, client.household), *mailbox)
    ctx.hasher.admit()
    if must_verify:
        await ctx.driver.row("SELECT true")  # nothing is hashed while the database is away; nothing else is asked
    elif await store.by_email(ctx.batcher, email.key) is not None:
        raise EmailTaken()
    hash = await strength.hashed(ctx, password, personal=(email.display, first_name or "", last_name or ""))
    names = {"first_name": first_name, "last_name": last_name}
    if must_verify:
        asked = {"email": email.display, "email_key": email.key, "hash": hash, **names}
        async with ctx.db.begin() as tx:
            await deferred.put_off(ctx, tx, REGISTER, client, asked)
        return None
    outcome = await _sign_up(ctx, client, email, _person(ctx, client, email, hash, **names), remember=remember)
    await signin.finish(ctx, outcome, METHOD)
    return outcome


async def register(ctx: Context, client: Client, asked: Asked) -> None:
    """The job behind a sign-up that tells nothing. An address that was never proved is anybody's until somebody does:
    the new password and names travel with the new link, and count only for who opens that one."""
    email = Address(asked["email"], asked["email_key"])
    names = {"first_name": asked["first_name"], "last_name": asked["last_name"]}
    person = _person(ctx, client, email, asked["hash"], **names)
    async with ctx.db.begin() as tx:
        if await store.register(tx, person | verification.values(ctx, client, email)):
            return
        holder = await users.lock_by_key(tx, email.key)
        if holder is None or holder.disabled_at is not None:
            return
        if holder.email_verified_at is None:
            data = json.dumps({"hash": asked["hash"], **names}).encode()
            await verification.send(ctx, tx, client, holder, data=data)
        else:
            await verification.tell_owner(ctx, tx, client, holder)


async def _sign_up(
    ctx: Context, client: Client, email: Address, person: Mapping[str, Any], *, remember: bool
) -> SignedIn:
    """Raises EmailTaken."""
    beginning = starting.begin(ctx, client, methods=(AMR[METHOD],), remember=remember)
    is_asked = ctx.settings.email_verification != "off"
    asked = verification.values(ctx, client, email) if is_asked else {}
    values = {**person, **beginning.parameters, **asked, "method": AMR[METHOD]}
    row = await store.sign_up(ctx.batcher, values, is_asked=is_asked)
    if row is None:
        raise EmailTaken()
    issued = starting.issue(ctx, beginning, row.id, email_verified=False, now=row.started_at, until=row.idle_expires_at)
    return signin.signed_in(ctx, client, row, Started(issued, (), is_familiar=True), None)


def _person(
    ctx: Context, client: Client, email: Address, hash: str, *, first_name: str | None, last_name: str | None
) -> dict[str, Any]:
    """The parameters of a new person with a password, and of the events of that."""
    return {
        **audit.values(ctx, client),
        **users.values(ctx, email, first_name=first_name, last_name=last_name),
        **_password(ctx, hash),
        "signed_up": ctx.random.id(),
    }


async def give(ctx: Context, tx: AsyncSession, user_id: UUID, hash: str) -> None:
    """A step: a password for somebody who has none."""
    await store.give(tx, {**_password(ctx, hash), "user_id": user_id})


def _password(ctx: Context, hash: str) -> dict[str, Any]:
    return {"credential": ctx.random.id(), "hash": hash, "offset": ctx.clock.offset}
