"""Who is asking: the access token, read, and its session, still standing."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from authapi.core.context import Context
from authapi.core.http import Caller, FromClient, InContext
from authapi.core.signing import UnknownKey
from authapi.sessions import denylist, pulse, tokens
from authapi.sessions.errors import (
    AccessTokenExpired,
    AccessTokenInvalid,
    RecentSignInNeeded,
    SessionEnded,
    TokenMissing,
    ended_as,
)
from authapi.sessions.tokens import Claims

BEARER = HTTPBearer(scheme_name="access_token", bearerFormat="JWT", auto_error=False, description="An access token.")

RECENT = 300
"""Seconds after a sign-in in which it counts as recent (OWASP ASVS 7.5.1)."""

REFUSALS = (TokenMissing, AccessTokenInvalid, AccessTokenExpired, SessionEnded)
"""What every call that needs an access token may answer."""


async def read(ctx: Context, token: str) -> Claims:
    """The claims; a key that is not known yet is looked up. Raises AccessTokenInvalid, AccessTokenExpired."""
    try:
        return tokens.read(ctx, token)
    except UnknownKey:
        await pulse.catch_up(ctx)
    try:
        return tokens.read(ctx, token)
    except UnknownKey:
        raise AccessTokenInvalid() from None


async def token(presented: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> str | None:
    return presented.credentials if presented else None


MaybeToken = Annotated[str | None, Depends(token)]


async def bearer(presented: MaybeToken, ctx: InContext, client: FromClient) -> Caller:
    """Who the token says is asking. Whether the session still stands is left to the statement of the use case."""
    if presented is None:
        raise TokenMissing()
    claims = await read(ctx, presented)
    return Caller(client, claims.user_id, claims.session_id, claims.signed_in_at, claims.methods, claims.email_verified)


InBearer = Annotated[Caller, Depends(bearer)]


async def caller(claimed: InBearer, ctx: InContext) -> Caller:
    """Who is asking, whose session still stands."""
    end = await denylist.ended(ctx, claimed.session_id)
    if end is not None:
        raise SessionEnded(**ended_as(*end))
    return claimed


InCaller = Annotated[Caller, Depends(caller)]


async def maybe_caller(presented: MaybeToken, ctx: InContext, client: FromClient) -> Caller | None:
    """Who is asking, where they say so."""
    return None if presented is None else await caller(await bearer(presented, ctx, client), ctx)


InMaybeCaller = Annotated[Caller | None, Depends(maybe_caller)]


async def recent_caller(caller: InCaller, ctx: InContext) -> Caller:
    """Who is asking, who has signed in lately, as their access token says. Raises RecentSignInNeeded."""
    if (ctx.clock.now() - caller.signed_in_at).total_seconds() > RECENT:
        raise RecentSignInNeeded(within=RECENT)
    return caller


InRecentCaller = Annotated[Caller, Depends(recent_caller)]
"""For what changes how somebody signs in, and for leaving: declare RecentSignInNeeded beside REFUSALS."""
