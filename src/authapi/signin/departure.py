"""People leave: they are signed out at once, have some days to come back by signing in, and are then erased."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.codes import service as codes
from authapi.codes.service import PENDING
from authapi.core import db
from authapi.core.context import Context
from authapi.core.http import Caller, Client
from authapi.outbox.messages import Leaving
from authapi.sessions import denylist, ending
from authapi.sessions.denylist import REMEMBERED, End
from authapi.sessions.errors import SessionEnded, ended_as
from authapi.sessions.models import Session
from authapi.users import store as users
from authapi.users.models import User
from authapi.users.telling import tell

WORKER = Client("", "")
"""Whom the record names for what nobody asked for."""

PAGE = 200
"""People looked at in one transaction: of these a few have to go."""

BATCH = 20
"""People whose time has come, looked up at once."""

EVENTS = 1000
"""Of a person, blanked in one transaction."""

UNDER_WAY = timedelta(minutes=1)
"""No transaction takes as long: an event that is not there yet is no older."""

log = logging.getLogger(__name__)


async def leave(ctx: Context, caller: Caller) -> datetime:
    """When the caller will be erased. Raises SessionEnded where they are leaving already."""
    client = caller.client
    async with ctx.db.begin() as tx:
        user = await users.leave(tx, ctx.clock, caller.user_id, after=ctx.settings.erase_after)
        if user is None or user.erase_at is None:
            raise SessionEnded(**ended_as("account_left", None))
        await audit.record(ctx, tx, "user.leaving", client, user.id, caller.session_id)
        await tell(ctx, tx, client, user, Leaving(at=user.erase_at))
        ends = await sign_out(ctx, tx, client, user.id, reason="account_left")
    await denylist.publish(ctx, ends)
    return user.erase_at


async def sign_out(ctx: Context, tx: AsyncSession, client: Client, user_id: UUID, *, reason: str) -> list[End]:
    """A step: no session and no secret in somebody's mail is good any more, but the way to undo a change of address:
    else a thief could take it from the owner by leaving. What to publish after the commit."""
    await ending.end_all(ctx, tx, client, user_id, reason=reason, but=None)
    await codes.void(ctx, tx, user_id, *PENDING)
    return await denylist.lately(ctx, tx, Session.user_id == user_id)


async def dismiss_unverified(ctx: Context) -> None:
    """A job: who never proved their address goes, where that is required. `erase` does the rest."""
    if ctx.settings.email_verification != "required":
        return
    after: UUID | None = UUID(int=0)
    while after is not None:
        ends: list[End] = []
        async with ctx.db.begin() as tx:
            lifetime = ctx.settings.unverified_lifetime
            page = await users.unverified(tx, ctx.clock, lifetime=lifetime, after=after, batch=PAGE)
            for id in page.ids:
                await users.leave(tx, ctx.clock, id, after=0)
                await audit.record(ctx, tx, "user.leaving", WORKER, id, by="housekeeping")
                ends += await sign_out(ctx, tx, WORKER, id, reason="never_verified")
        await denylist.publish(ctx, ends)
        after = page.last


async def erase(ctx: Context) -> None:
    """A job: deletes the people whose time to come back is over. One who cannot be erased holds up nobody else.

    A session that ended lately is waited for: without its row nobody could tell Redis again that its access token is
    not good any more.
    """
    erased = 0
    page = await _due(ctx, after=None)
    while page:
        for _, id in page:
            erased += await _erased(ctx, id)
        page = await _due(ctx, after=page[-1])
    if erased:
        log.info("people who left were erased", extra={"people": erased})


async def _due(ctx: Context, *, after: tuple[datetime, UUID] | None) -> Sequence[tuple[datetime, UUID]]:
    async with ctx.db() as tx:
        return await users.due(tx, ctx.clock, ~_ended_lately(ctx), after=after, batch=BATCH)


def _ended_lately(ctx: Context) -> ColumnElement[bool]:
    since = select(db.now(ctx.clock) - timedelta(seconds=REMEMBERED)).scalar_subquery()
    return exists().where(Session.user_id == User.id, Session.ended_at > since)


async def _erased(ctx: Context, id: UUID) -> bool:
    try:
        return await _erase(ctx, id)
    except Exception as error:
        log.error("a person could not be erased", exc_info=error, extra={"user_id": id})
        return False


async def _erase(ctx: Context, id: UUID) -> bool:
    """False for one who is back, or whom somebody else has locked. All but the last of many events are blanked in
    transactions before, since no statement has the time for all of them."""
    since: datetime | None = None
    while True:
        async with ctx.db.begin() as tx:
            if not await users.lock_due(tx, ctx.clock, id, ~_ended_lately(ctx)):
                return False
            rest = await audit.forget(ctx, tx, id, since=since, batch=EVENTS)
            if rest is None:
                await erase_one(ctx, tx, id, since=since and since - UNDER_WAY)
                return True
        since = rest


async def erase_one(ctx: Context, tx: AsyncSession, id: UUID, *, since: datetime | None = None) -> None:
    """A step: tables that hang on the person are emptied with it; the record stays, with a number where they were.

    The events up to `since` must have been blanked before."""
    await users.remove(tx, id)
    await audit.forget(ctx, tx, id, since=since)
    await audit.record(ctx, tx, "user.erased", WORKER, id)
