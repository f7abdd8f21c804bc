"""Sessions go on: refresh."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core import metrics
from authapi.core.context import Context
from authapi.core.devices import in_words
from authapi.core.http import Client
from authapi.core.limits import Limit
from authapi.core.problems import Problem, Unavailable
from authapi.outbox import messages
from authapi.outbox import service as outbox
from authapi.sessions import denylist, rotation, store, tokens
from authapi.sessions.denylist import End
from authapi.sessions.errors import (
    InvalidToken,
    ReloadTokens,
    SessionEnded,
    SessionExpired,
    SessionStateLost,
    TokenReused,
    ended_as,
    when,
)
from authapi.sessions.models import Session
from authapi.sessions.rotation import RefreshToken, State, Verdict

REFRESH = Limit("sessions.refresh", "60/minute", quiet=True, here=True)

PURPOSE = "refresh tokens"
EARLY = 0.2
"""The share of an access token's life that is left when a client is told to refresh; up to twice that, by chance."""


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets. Lifetimes are in seconds, counted from `now`, the database's time."""

    access_token: str
    refresh_token: str
    expires_in: int
    refresh_in: int
    refresh_expires_at: datetime
    session_id: UUID
    now: datetime


@dataclass(frozen=True, slots=True)
class Refreshed:
    tokens: Tokens
    rotation: str


async def refresh(ctx: Context, client: Client, text: str, is_gone: Callable[[], bool]) -> Refreshed:
    """Rotates. One statement when the token is the current one; else the row is locked and the table decides.

    `is_gone` tells whether the client has hung up. Raises InvalidToken, SessionEnded, SessionExpired, ReloadTokens,
    TokenReused, SessionStateLost, and Unavailable, which nobody hears, where the client is gone.
    """
    keys = ctx.vault.keys(PURPOSE)
    presented = rotation.read(keys, text)
    if presented is None:
        raise InvalidToken()
    ctx.limiter.hit_here(REFRESH, presented.session_id.hex)
    salt = ctx.random.bytes(rotation.SALT)
    following = rotation.successor(keys, presented, salt, presented.generation + 1)
    row = await store.rotate(ctx.batcher, ctx.clock, presented, following, salt, client)
    if row is not None:
        return _refreshed(ctx, following, row, row, Verdict.ROTATED)
    return await _refresh_slowly(ctx, client, presented, is_gone)


async def _refresh_slowly(
    ctx: Context, client: Client, presented: RefreshToken, is_gone: Callable[[], bool]
) -> Refreshed:
    async with ctx.db.begin() as tx:
        row = await store.locked(tx, ctx.clock, presented.session_id)
        if row is None:
            raise InvalidToken()
        if is_gone():  # held up on the way, it would count against what the client was given meanwhile
            raise Unavailable("The client has hung up.")
        session: Session = row.Session
        verdict, current = judge(ctx, session, presented, row)
        if verdict is Verdict.REPLAYED and current is not None:
            session.replayed_at = row.now
            return _refreshed(ctx, current, row, session, verdict)
        if verdict in (Verdict.ROTATED, Verdict.DISPLACED):
            following = _move_on(ctx, client, session, presented, row.now)
            return _refreshed(ctx, following, row, session, verdict)
        if verdict is Verdict.REUSED:
            await store.end(tx, ctx.clock, "token_reused", None, Session.id == session.id)
            await denylist.promise(tx, session.user_id)
            await audit.record(ctx, tx, "session.token_reused", client, session.user_id, session.id)
            await _tell_owner(ctx, tx, client, session.user_id, row)
        elif verdict is Verdict.STATE_LOST:
            await audit.record(ctx, tx, "session.state_lost", client, session.user_id, session.id)
        ended_by = await store.by_id(tx, session.ended_by) if session.ended_by else None
    metrics.refreshed(verdict.value)
    if verdict is Verdict.STATE_LOST:
        log.critical("a refresh token is ahead of the database", extra={"session_id": str(session.id)})
    if verdict is Verdict.REUSED:
        await denylist.publish(ctx, [End(session.id, row.now, "token_reused")])
    elif session.ended_at is not None:  # again, in case the first one to say so was cut off before Redis heard it
        await denylist.publish(ctx, [End(session.id, session.ended_at, session.end_reason or "")])
    raise _refusal(verdict, session, ended_by)


async def _tell_owner(ctx: Context, tx: AsyncSession, client: Client, user_id: UUID, row: Row[Any]) -> None:
    message = messages.TokenReused(device=in_words(client.user_agent), ip=client.ip, at=row.now)
    await outbox.put(ctx, tx, message, to=row.email, user_id=user_id, locale=row.locale or client.accept_language)


def judge(
    ctx: Context, session: Session, presented: RefreshToken, row: Row[Any]
) -> tuple[Verdict, RefreshToken | None]:
    """The verdict, and the current token where the presented one is its parent."""
    state = State(
        generation=session.generation,
        token_hash=session.token_hash,
        salt=session.salt,
        rotated_at=session.rotated_at,
        replayed_at=session.replayed_at,
        idle_expires_at=session.idle_expires_at,
        absolute_expires_at=session.absolute_expires_at,
        ended_at=session.ended_at or row.disabled_at,
        now=row.now,
    )
    current = rotation.child(ctx.vault.keys(PURPOSE), presented, state)
    window = timedelta(seconds=ctx.settings.refresh_reuse_window)
    return rotation.decide(state, presented, is_parent=current is not None, window=window), current


def _move_on(ctx: Context, client: Client, session: Session, presented: RefreshToken, now: datetime) -> RefreshToken:
    """Gives the locked session another successor of the presented token."""
    salt = ctx.random.bytes(rotation.SALT)
    following = rotation.successor(ctx.vault.keys(PURPOSE), presented, salt, session.generation + 1)
    session.generation, session.token_hash, session.salt = following.generation, following.hash, salt
    session.rotated_at, session.replayed_at = now, None
    session.ip, session.user_agent = client.ip, client.user_agent
    idle = now + timedelta(seconds=session.idle_lifetime)
    session.idle_expires_at = min(idle, session.absolute_expires_at) if session.absolute_expires_at else idle
    return following


def _refreshed(
    ctx: Context, token: RefreshToken, row: Row[Any], session: Row[Any] | Session, verdict: Verdict
) -> Refreshed:
    metrics.refreshed(verdict.value)
    access, lifetime = tokens.issue(
        ctx,
        user_id=session.user_id,
        session_id=token.session_id,
        signed_in_at=session.authenticated_at,
        methods=session.methods,
        email_verified=row.email_verified,
        now=row.now,
        until=session.idle_expires_at,
    )
    return Refreshed(tokens_of(ctx, access, lifetime, token, session.idle_expires_at, row.now), verdict.value)


def tokens_of(
    ctx: Context, access: str, lifetime: int, token: RefreshToken, refresh_expires_at: datetime, now: datetime
) -> Tokens:
    refresh_in = int(lifetime * (1 - EARLY * (1 + ctx.random.fraction())))
    return Tokens(access, token.text(), lifetime, refresh_in, refresh_expires_at, token.session_id, now)


def _refusal(verdict: Verdict, session: Session, ended_by: Session | None) -> Problem:
    match verdict:
        case Verdict.ENDED:
            return ended_problem(session, ended_by)
        case Verdict.EXPIRED:
            absolute = session.absolute_expires_at == session.idle_expires_at
            return SessionExpired(reason="absolute" if absolute else "idle", expired_at=when(session.idle_expires_at))
        case Verdict.RELOAD:
            return ReloadTokens(retry_after=1)
        case Verdict.STATE_LOST:
            return SessionStateLost()
        case _:
            return TokenReused()


def ended_problem(session: Session, ended_by: Session | None) -> SessionEnded:
    """Why, when, and by which device; to whoever holds a token of the session."""
    told = ended_as(session.end_reason or "account_disabled", session.ended_at)
    if ended_by is not None:
        told["ended_by"] = {"session_id": str(ended_by.id), "user_agent": ended_by.user_agent}
    return SessionEnded(**told)
