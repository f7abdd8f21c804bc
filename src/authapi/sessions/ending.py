"""Sessions end: by their own device, from another one, all at once."""

from typing import Any, Literal, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core.context import Context
from authapi.core.http import Caller, Client
from authapi.core.problems import Problem
from authapi.sessions import caller as callers
from authapi.sessions import denylist, rotation, store
from authapi.sessions.denylist import End
from authapi.sessions.errors import InvalidToken, SessionUnknown, TokenMissing
from authapi.sessions.models import Session
from authapi.sessions.rotation import RefreshToken, Verdict
from authapi.sessions.service import PURPOSE, ended_problem, judge
from authapi.users import store as users

Scope: TypeAlias = Literal["this", "others", "all"]

GOOD = (Verdict.ROTATED, Verdict.REPLAYED, Verdict.DISPLACED)


async def log_out(
    ctx: Context, client: Client, *, refresh_token: str | None, access_token: str | None, scope: Scope
) -> None:
    """Ends sessions. Once more is fine: a token that is no longer good, or never was, has nothing left to end.

    Scopes beyond `this` reach further than the token's own session, so they need one that is still good: they raise
    InvalidToken or SessionEnded. Raises TokenMissing without any token, and what reading an access token raises.
    """
    token = rotation.read(ctx.vault.keys(PURPOSE), refresh_token) if refresh_token is not None else None
    if token is not None:
        session_id = token.session_id
    elif access_token is not None:
        session_id = (await callers.read(ctx, access_token)).session_id
    elif refresh_token is None:
        raise TokenMissing()
    elif scope == "this":
        return
    else:
        raise InvalidToken()
    if scope == "this" and await _end_at_once(ctx, client, session_id):
        return
    async with ctx.db.begin() as tx:
        refusal, ends = await _log_out(ctx, tx, client, session_id, token, scope)
    await denylist.publish(ctx, ends)
    if refusal is not None:
        raise refusal


async def _end_at_once(ctx: Context, client: Client, session_id: UUID) -> bool:
    """The usual case, in one statement. False where there is nothing to tell, or somebody else is just ending it: who
    then looks again under the lock."""
    row = await store.log_out(ctx.batcher, session_id, denylist.REMEMBERED, audit.values(ctx, client))
    if row is None:
        return False
    await denylist.publish(ctx, [End(row.id, row.ended_at, row.end_reason)])
    return True


async def _log_out(
    ctx: Context, tx: AsyncSession, client: Client, session_id: UUID, token: RefreshToken | None, scope: Scope
) -> tuple[Problem | None, list[End]]:
    """What to raise, and what to publish: also what ended before, in case nobody could be told the first time."""
    if scope != "this":  # who ends many locks the person first, or two who do so would wait for each other
        await store.lock_owner(tx, session_id)
    row = await store.locked(tx, ctx.clock, session_id)
    if row is None:
        return None if scope == "this" else InvalidToken(), []
    session: Session = row.Session
    refusal: Problem | None = None
    if scope != "this" and session.ended_at is not None:
        refusal = ended_problem(session, None)
    elif scope != "this" and token is not None and judge(ctx, session, token, row)[0] not in GOOD:
        refusal = InvalidToken()
    else:
        await end(ctx, tx, client, session.user_id, session.id, scope)
    which = Session.id == session.id if scope == "this" else Session.user_id == session.user_id
    return refusal, await denylist.lately(ctx, tx, which)


async def end(ctx: Context, tx: AsyncSession, client: Client, user_id: UUID, by: UUID, scope: Scope) -> None:
    """A step: ends what the scope says, seen from session `by`. Publish `denylist.lately` after the commit."""
    if scope in ("this", "all"):
        await _end(ctx, tx, client, "logout", by, Session.id == by)
    if scope in ("others", "all"):
        await _end(ctx, tx, client, "ended_elsewhere", by, Session.user_id == user_id, Session.id != by)


async def end_one(ctx: Context, caller: Caller, session_id: UUID) -> None:
    """Ends one of the caller's own sessions; an ended one stays so. Raises SessionUnknown for anybody else's."""
    reason = "logout" if session_id == caller.session_id else "ended_elsewhere"
    mine = (Session.id == session_id, Session.user_id == caller.user_id)
    async with ctx.db.begin() as tx:
        await _end(ctx, tx, caller.client, reason, caller.session_id, *mine)
        session = await store.by_id(tx, session_id)
        if session is None or session.user_id != caller.user_id:
            raise SessionUnknown()
        ends = await denylist.lately(ctx, tx, Session.id == session.id)
    await denylist.publish(ctx, ends)


async def end_all(
    ctx: Context, tx: AsyncSession, client: Client, user_id: UUID, *, reason: str, but: UUID | None
) -> None:
    """A step: ends every session of a person but the one that asks, if one does.

    Publish `denylist.lately` after the commit. The person's row is locked first, so no sign-in slips past.
    """
    await users.lock(tx, user_id)
    others = () if but is None else (Session.id != but,)
    await _end(ctx, tx, client, reason, but, Session.user_id == user_id, *others)


async def _end(ctx: Context, tx: AsyncSession, client: Client, reason: str, by: UUID | None, *which: Any) -> None:
    """Of one person."""
    ended = await store.end(tx, ctx.clock, reason, by, *which)
    for row in ended:
        await audit.record(ctx, tx, "session.ended", client, row.user_id, row.id, reason=reason)
    if ended:
        await denylist.promise(tx, ended[0].user_id)
