"""Sessions begin: as a step of a transaction, or as a part of one statement of a sign-in's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.sessions import denylist, rotation, store, tokens
from authapi.sessions.denylist import End
from authapi.sessions.models import Session
from authapi.sessions.rotation import RefreshToken
from authapi.sessions.service import PURPOSE, Tokens, tokens_of


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a session is given before the database is asked: `parameters` are those of `store.STARTED`."""

    token: RefreshToken
    methods: Sequence[str]
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Started:
    """`ended` are the sessions that had to make room: publish them after the commit. `is_familiar`: see the store."""

    tokens: Tokens
    ended: tuple[End, ...]
    is_familiar: bool


def begin(ctx: Context, client: Client, *, methods: Sequence[str], remember: bool) -> Beginning:
    settings = ctx.settings
    id = ctx.random.id()
    token = rotation.mint(ctx.vault.keys(PURPOSE), id, 0, ctx.random.bytes(32))
    parameters = {
        "session": id,
        "token_hash": token.hash,
        "methods": list(methods),
        "idle_lifetime": settings.session_idle_lifetime if remember else settings.session_short_idle_lifetime,
        "absolute_lifetime": settings.session_absolute_lifetime,
        "others": settings.sessions_per_user - 1,
        "ip": client.ip,
        "household": client.household,
        "user_agent": client.user_agent,
        "offset": ctx.clock.offset,
    }
    return Beginning(token, methods, parameters)


def issue(
    ctx: Context, beginning: Beginning, user_id: UUID, *, email_verified: bool, now: datetime, until: datetime
) -> Tokens:
    """The first tokens. When the session began and expires has been decided by the database."""
    access, lifetime = tokens.issue(
        ctx,
        user_id=user_id,
        session_id=beginning.token.session_id,
        signed_in_at=now,
        methods=beginning.methods,
        email_verified=email_verified,
        now=now,
        until=until,
    )
    return tokens_of(ctx, access, lifetime, beginning.token, until, now)


async def start(
    ctx: Context,
    tx: AsyncSession,
    client: Client,
    user_id: UUID,
    *,
    methods: Sequence[str],
    email_verified: bool,
    remember: bool,
) -> Started:
    """A step: a new session and its tokens. The person's row must be locked, so that the count of sessions holds."""
    beginning = begin(ctx, client, methods=methods, remember=remember)
    row = await store.start(tx, {**beginning.parameters, "user_id": user_id})
    for id in row.ended:
        await audit.record(ctx, tx, "session.ended", client, user_id, id, reason="too_many_sessions")
    ended = tuple(await denylist.lately(ctx, tx, Session.user_id == user_id)) if row.ended else ()
    issued = issue(
        ctx, beginning, user_id, email_verified=email_verified, now=row.created_at, until=row.idle_expires_at
    )
    return Started(issued, ended, row.is_familiar)


async def lately_ended(ctx: Context, user_id: UUID) -> tuple[End, ...]:
    """What to publish once somebody's sessions have made room."""
    async with ctx.db() as tx:
        return tuple(await denylist.lately(ctx, tx, Session.user_id == user_id))
