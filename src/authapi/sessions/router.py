"""`/refresh`, `/logout`, `/session`, `/sessions`, and the public keys."""

from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from authapi.core import problems
from authapi.core.hot import hot
from authapi.core.http import FromClient, InContext
from authapi.core.limits import TooManyRequests
from authapi.sessions import ending, service, viewing
from authapi.sessions.caller import REFUSALS, InBearer, InCaller, MaybeToken
from authapi.sessions.errors import (
    AccessTokenExpired,
    AccessTokenInvalid,
    InvalidToken,
    ReloadTokens,
    SessionEnded,
    SessionExpired,
    SessionStateLost,
    SessionUnknown,
    TokenMissing,
    TokenReused,
)
from authapi.sessions.keys import MAX_AGE
from authapi.sessions.schemas import (
    CurrentOut,
    LogoutIn,
    RefreshedOut,
    RefreshIn,
    SessionsOut,
    current_out,
    refreshed_out,
    session_out,
)

router = APIRouter(tags=["sessions"])
public = APIRouter(tags=["keys"])


class KeySetOut(BaseModel):
    keys: list[dict[str, str]] = Field(
        description="JSON Web Keys (RFC 7517): next, current and previous.",
        examples=[
            [{"kty": "EC", "crv": "P-256", "x": "f83O…", "y": "x_FE…", "kid": "j3cm…", "use": "sig", "alg": "ES256"}]
        ],
    )


@router.post(
    "/refresh",
    operation_id="refresh",
    summary="Refresh the tokens",
    responses=problems.responses(
        InvalidToken, SessionEnded, SessionExpired, TokenReused, SessionStateLost, ReloadTokens, TooManyRequests
    ),
)
@hot
async def refresh(body: RefreshIn, ctx: InContext, client: FromClient) -> RefreshedOut:
    """Gives new tokens for the newest refresh token.

    Store the new one before you use it. If the answer is lost, ask again with the same token: you get the same
    successor. Forget your tokens only when a problem says `"action": "reauthenticate"`.
    """
    return refreshed_out(await service.refresh(ctx, client, body.refresh_token))


@router.post(
    "/logout",
    operation_id="logout",
    summary="Log out",
    status_code=204,
    openapi_extra={"security": [{}]},
    responses=problems.responses(TokenMissing, InvalidToken, AccessTokenInvalid, AccessTokenExpired, SessionEnded),
)
@hot
async def log_out(
    ctx: InContext, client: FromClient, access_token: MaybeToken, body: LogoutIn | None = None
) -> Response:
    """Ends this session, the person's others, or all of them, by a refresh token in the body or an access token.

    Their refresh tokens are dead and their access tokens are refused before the answer leaves. Doing it twice is fine.
    """
    body = body or LogoutIn()
    await ending.log_out(ctx, client, refresh_token=body.refresh_token, access_token=access_token, scope=body.scope)
    return Response(status_code=204)


@router.get(
    "/session",
    operation_id="session",
    summary="Who am I?",
    responses=problems.responses(*REFUSALS),
)
@hot
async def session(ctx: InContext, caller: InBearer) -> CurrentOut:
    """The person and the session behind an access token. A session that was ended is refused at once."""
    return current_out(await viewing.current(ctx, caller))


@router.get(
    "/sessions",
    operation_id="list_sessions",
    summary="Where am I signed in?",
    responses=problems.responses(*REFUSALS),
)
async def sessions(ctx: InContext, caller: InCaller) -> SessionsOut:
    """The person's devices. There is no secret in the list."""
    return SessionsOut(sessions=[session_out(each, caller.session_id) for each in await viewing.live(ctx, caller)])


@router.delete(
    "/sessions/{session_id}",
    operation_id="end_session",
    summary="Sign a device out",
    status_code=204,
    responses=problems.responses(*REFUSALS, SessionUnknown),
)
async def end_session(session_id: UUID, ctx: InContext, caller: InCaller) -> Response:
    """Ends one of the person's sessions. Ending it twice is fine; somebody else's is unknown."""
    await ending.end_one(ctx, caller, session_id)
    return Response(status_code=204)


@public.get(
    "/.well-known/jwks.json",
    operation_id="jwks",
    summary="The public keys",
    response_model=KeySetOut,
)
async def jwks(ctx: InContext) -> Response:
    """What access tokens are verified with. May be cached; the next key is published long before it signs."""
    return Response(
        ctx.keyring.jwks, media_type="application/json", headers={"Cache-Control": f"public, max-age={MAX_AGE}"}
    )
