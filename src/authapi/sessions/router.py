"""`/refresh`, `/logout`, `/session`, `/sessions`, and the public keys."""

from functools import partial
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from authapi.core import problems
from authapi.core.context import Context
from authapi.core.hot import hot
from authapi.core.http import Client, FromClient, InContext, has_hung_up
from authapi.core.limits import TooManyRequests
from authapi.core.problems import InvalidRequest
from authapi.sessions import cookies, csrf, ending, service, viewing
from authapi.sessions.caller import REFUSALS, InBearer, InCaller, MaybeToken
from authapi.sessions.cookies import Presented
from authapi.sessions.errors import (
    AccessTokenExpired,
    AccessTokenInvalid,
    CookieMissing,
    CsrfFailed,
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
    CsrfOut,
    CurrentOut,
    LogoutIn,
    RefreshedOut,
    RefreshIn,
    RenameIn,
    SessionOut,
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
    response_model=RefreshedOut,
    openapi_extra=cookies.IN_USE,
    responses=problems.responses(
        *(InvalidToken, SessionEnded, SessionExpired, TokenReused, SessionStateLost, ReloadTokens),
        *(CookieMissing, CsrfFailed, TooManyRequests),
    ),
)
@hot
async def refresh(
    ctx: InContext, client: FromClient, request: Request, body: RefreshIn | None = None
) -> RefreshedOut | Response:
    """Gives new tokens for the newest refresh token.

    Store the new one before you use it. If the answer is lost, ask again with the same token: you get the same
    successor. Forget your tokens only when a problem says `"action": "reauthenticate"`.

    In cookie mode the body is left out, and `X-CSRF-Token` must be right. A token in the body goes before the cookie.
    """
    if body is not None and body.refresh_token is not None:
        return refreshed_out(await service.refresh(ctx, client, body.refresh_token, partial(has_hung_up, request)))
    cookie = cookies.presented(ctx, request)
    if cookie is None:
        raise InvalidRequest(errors=[{"pointer": "/refresh_token", "message": "Field required"}])
    with cookies.cleared_by_refusal(ctx.settings):
        refreshed = await service.refresh(ctx, client, cookie.token, partial(has_hung_up, request))
    return cookies.answer(ctx, refreshed_out(refreshed), refreshed.tokens, is_remembered=cookie.is_remembered)


@router.get(
    "/csrf",
    operation_id="csrf",
    summary="The CSRF token",
    responses=problems.responses(CookieMissing, InvalidToken, CsrfFailed),
)
async def csrf_token(ctx: InContext, request: Request) -> CsrfOut:
    """In cookie mode, for a page that has just been loaded: what its calls that use the cookie must send along.

    Only pages of the service's own origin and of allowed ones may read it. 401 means that nobody is signed in here.
    """
    return CsrfOut(csrf_token=csrf.token(ctx, cookies.held(ctx, request).session_id))


@router.post(
    "/logout",
    operation_id="logout",
    summary="Log out",
    status_code=204,
    openapi_extra={"security": [{}], **cookies.IN_USE},
    responses=problems.responses(
        *(TokenMissing, InvalidToken, AccessTokenInvalid, AccessTokenExpired, SessionEnded, CookieMissing, CsrfFailed)
    ),
)
@hot
async def log_out(
    ctx: InContext, client: FromClient, access_token: MaybeToken, request: Request, body: LogoutIn | None = None
) -> Response:
    """Ends this session, the person's others, or all of them, by a refresh token in the body or an access token.

    Their refresh tokens are dead and their access tokens are refused before the answer leaves. Doing it twice is fine.
    In cookie mode send neither: the cookie does, with `X-CSRF-Token`, and is cleared unless only the others end.
    """
    body = body or LogoutIn()
    if body.refresh_token is None and access_token is None:
        cookie = cookies.presented(ctx, request)
        if cookie is not None:
            return await _log_out_by_cookie(ctx, client, cookie, body.scope)
    await ending.log_out(ctx, client, refresh_token=body.refresh_token, access_token=access_token, scope=body.scope)
    return Response(status_code=204)


async def _log_out_by_cookie(ctx: Context, client: Client, cookie: Presented, scope: ending.Scope) -> Response:
    with cookies.cleared_by_refusal(ctx.settings):
        await ending.log_out(ctx, client, refresh_token=cookie.token, access_token=None, scope=scope)
    headers = None if scope == "others" else {"Set-Cookie": cookies.cleared(ctx.settings)}
    return Response(status_code=204, headers=headers)


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


@router.patch(
    "/sessions/{session_id}",
    operation_id="rename_session",
    summary="Name a device",
    responses=problems.responses(*REFUSALS, SessionUnknown, TooManyRequests),
)
async def rename_session(session_id: UUID, body: RenameIn, ctx: InContext, caller: InCaller) -> SessionOut:
    """Gives one of the person's devices a name to know it by, or takes it away. Somebody else's is unknown."""
    return session_out(await viewing.rename(ctx, caller, session_id, label=body.label), caller.session_id)


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
