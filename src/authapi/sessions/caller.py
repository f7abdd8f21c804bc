"""Who is asking: the access token, read, and its session, still standing."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from authapi.core.context import Context
from authapi.core.http import Caller, FromClient, InContext
from authapi.core.signing import UnknownKey
from authapi.sessions import denylist, pulse, tokens
from authapi.sessions.errors import AccessTokenExpired, AccessTokenInvalid, SessionEnded, TokenMissing, ended_as
from authapi.sessions.tokens import Claims

BEARER = HTTPBearer(scheme_name="access_token", bearerFormat="JWT", auto_error=False, description="An access token.")

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
