"""What an operator does about people. The record says that it was an operator."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.credentials import store as credentials
from authapi.sessions import denylist, ending
from authapi.sessions import store as sessions
from authapi.sessions.models import Session
from authapi.signin import departure
from authapi.users import store as users
from authapi.users.models import User
from authapi.users.rules import parse_address

BY = "operator"


class UnknownPerson(Exception):
    """Nobody here has this id or address."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`methods` are what they can sign in with; of the sessions the live ones."""

    user: User
    methods: Sequence[str]
    sessions: Sequence[Session]


async def show(ctx: Context, who: str) -> Seen:
    """Raises UnknownPerson."""
    async with ctx.db() as tx:
        user = await named(tx, who)
        return Seen(user, await credentials.methods(tx, user.id), await sessions.live(tx, ctx.clock, user.id))


async def disable(ctx: Context, client: Client, who: str) -> User:
    """Sessions end in the same transaction, and no instance accepts their access tokens. Raises UnknownPerson."""
    async with ctx.db.begin() as tx:
        user = await _locked(tx, who)
        if await users.disable(tx, ctx.clock, user.id):
            await audit.record(ctx, tx, "user.disabled", client, user.id, by=BY)
        ends = await departure.sign_out(ctx, tx, client, user.id, reason="account_disabled")
    await denylist.publish(ctx, ends)
    return user


async def enable(ctx: Context, client: Client, who: str) -> User:
    """Undoes `disable`, and `delete` as long as nobody was erased. Raises UnknownPerson."""
    async with ctx.db.begin() as tx:
        user = await _locked(tx, who)
        if await users.enable(tx, user.id):
            await audit.record(ctx, tx, "user.enabled", client, user.id, by=BY)
    return user


async def end_sessions(ctx: Context, client: Client, who: str) -> User:
    """Raises UnknownPerson."""
    async with ctx.db.begin() as tx:
        user = await _locked(tx, who)
        await ending.end_all(ctx, tx, client, user.id, reason="ended_by_operator", but=None)
        ends = await denylist.lately(ctx, tx, Session.user_id == user.id)
    await denylist.publish(ctx, ends)
    return user


async def delete(ctx: Context, client: Client, who: str) -> User:
    """Disabled at once, so that no sign-in restores them, and erased by the worker soon. Raises UnknownPerson."""
    async with ctx.db.begin() as tx:
        user = await _locked(tx, who)
        await users.expel(tx, ctx.clock, user.id)
        await audit.record(ctx, tx, "user.leaving", client, user.id, by=BY)
        ends = await departure.sign_out(ctx, tx, client, user.id, reason="account_deleted")
    await denylist.publish(ctx, ends)
    return user


async def _locked(tx: AsyncSession, who: str) -> User:
    """By id or address, under the row lock."""
    user = await users.lock(tx, (await named(tx, who)).id)
    if user is None:
        raise UnknownPerson(who)
    return user


async def named(tx: AsyncSession, who: str) -> User:
    """A step: the person with this id or address. Raises UnknownPerson."""
    with suppress(ValueError):
        if "@" in who:
            user = await users.by_key(tx, parse_address(who).key)
        else:
            user = await users.by_id(tx, UUID(who))
        if user is not None and not user.is_displaced:
            return user
    raise UnknownPerson(who)
