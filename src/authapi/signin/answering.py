"""How a sign-in is answered: with the tokens in the body or, in cookie mode, with the refresh token as a cookie."""

from typing import Literal

from fastapi import Request, Response

from authapi.core.context import Context
from authapi.core.http import Client
from authapi.sessions import cookies, ending
from authapi.signin.schemas import SignedInOut, signed_in_out
from authapi.signin.service import SignedIn


async def answer(
    ctx: Context,
    client: Client,
    request: Request,
    outcome: SignedIn,
    *,
    in_cookies: bool,
    is_remembered: bool,
    status: Literal[200, 201] = 200,
) -> SignedInOut | Response:
    """`in_cookies` is what `cookies.asked_for` said before the sign-in.

    A browser has one session at a time: the one whose cookie is replaced ends (OWASP ASVS 7.2.4).
    """
    out = signed_in_out(outcome)
    if not in_cookies:
        return out
    token = cookies.replaced(ctx.settings, request)
    if token is not None:
        await ending.log_out(ctx, client, refresh_token=token, access_token=None, scope="this")
    return cookies.answer(
        ctx,
        out.model_copy(update={"device_token": None}),
        outcome.started.tokens,
        is_remembered=is_remembered,
        device_token=outcome.device_token,
        status=status,
    )
