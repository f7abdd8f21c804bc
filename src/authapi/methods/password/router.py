"""`/signup`, `/login`, `/password/…`."""

from fastapi import APIRouter, Request, Response

from authapi.codes.errors import InvalidCode
from authapi.core import problems
from authapi.core.hashing import Busy
from authapi.core.hot import hot
from authapi.core.http import AcceptedOut, FromClient, InContext
from authapi.core.limits import TooManyRequests
from authapi.methods.password import change, confirming, registration, reset, service
from authapi.methods.password.errors import EmailTaken, InvalidCredentials, WeakPassword
from authapi.methods.password.schemas import (
    AccessTokenOut,
    ChangeIn,
    ConfirmIn,
    ForgotIn,
    LogInIn,
    ResetIn,
    SignUpIn,
    VerificationRequiredOut,
)
from authapi.sessions import cookies
from authapi.sessions.caller import REFUSALS, InCaller
from authapi.sessions.errors import CsrfFailed
from authapi.signin import answering
from authapi.signin.errors import EmailUnverified
from authapi.signin.schemas import SignedInOut

router = APIRouter(tags=["sign-in"])


@router.post(
    "/signup",
    operation_id="signup",
    summary="Sign up",
    status_code=201,
    response_model=SignedInOut,
    openapi_extra=cookies.IN_SIGN_IN,
    responses={
        **problems.responses(EmailTaken, WeakPassword, CsrfFailed, TooManyRequests, Busy),
        202: {"model": VerificationRequiredOut, "description": "Where the address must be proved first: taken or not."},
    },
)
@hot
async def sign_up(body: SignUpIn, ctx: InContext, client: FromClient, request: Request) -> SignedInOut | Response:
    """Makes an account and signs in. A password may have any characters; it is refused when it is easily guessed.

    Where addresses must be proved first (`email_verification` in `config`), nobody is signed in, and a taken address
    gets the same answer as a free one.
    """
    in_cookies = cookies.asked_for(ctx, request)
    outcome = await registration.sign_up(
        ctx,
        client,
        email=body.email,
        password=body.password,
        first_name=body.first_name,
        last_name=body.last_name,
        remember=body.remember_me,
    )
    if outcome is None:
        return Response(VerificationRequiredOut().model_dump_json(), 202, media_type="application/json")
    return await answering.answer(
        ctx, client, request, outcome, in_cookies=in_cookies, is_remembered=body.remember_me, status=201
    )


@router.post(
    "/login",
    operation_id="login",
    summary="Log in",
    response_model=SignedInOut,
    openapi_extra=cookies.IN_SIGN_IN,
    responses=problems.responses(InvalidCredentials, EmailUnverified, CsrfFailed, TooManyRequests, Busy),
)
@hot
async def log_in(body: LogInIn, ctx: InContext, client: FromClient, request: Request) -> SignedInOut | Response:
    """Starts a session on this device. An unknown address and a wrong password get the same answer.

    After several failures sign-ins are refused for a while, with that same answer. `device_token` spares a device that
    the person has signed in from before the failures of others.
    """
    in_cookies = cookies.asked_for(ctx, request)
    outcome = await service.log_in(
        ctx,
        client,
        email=body.email,
        password=body.password,
        remember=body.remember_me,
        device_token=cookies.device_token(ctx.settings, request) if in_cookies else body.device_token,
    )
    return await answering.answer(ctx, client, request, outcome, in_cookies=in_cookies, is_remembered=body.remember_me)


@router.post(
    "/password/forgot",
    operation_id="forgot_password",
    summary="Send a link to choose a new password",
    status_code=202,
    responses=problems.responses(TooManyRequests),
)
async def forgot(body: ForgotIn, ctx: InContext, client: FromClient) -> AcceptedOut:
    """The answer is always the same, whether anybody has the address or not. The link is good for half an hour."""
    await reset.forgot(ctx, client, email=body.email)
    return AcceptedOut()


@router.post(
    "/password/reset",
    operation_id="reset_password",
    summary="Choose a new password by such a link",
    status_code=204,
    responses=problems.responses(InvalidCode, WeakPassword, TooManyRequests, Busy),
)
async def reset_password(body: ResetIn, ctx: InContext, client: FromClient) -> Response:
    """Every session of the person ends and the address counts as proved; log in with the new password.

    A password that is refused as weak leaves the link good for another try.
    """
    await reset.reset(ctx, client, token=body.token, password=body.password)
    return Response(status_code=204)


@router.post(
    "/password/confirm",
    operation_id="confirm_password",
    summary="Confirm the password",
    responses=problems.responses(*REFUSALS, InvalidCredentials, Busy),
)
async def confirm_password(body: ConfirmIn, ctx: InContext, caller: InCaller) -> AccessTokenOut:
    """What to do when a problem says `"action": "step_up"`: with the fresh access token the sign-in counts as recent.

    A wrong password counts like a failed login.
    """
    access = await confirming.confirm(ctx, caller, password=body.password)
    return AccessTokenOut(access_token=access.token, expires_in=access.expires_in, server_time=access.now)


@router.post(
    "/password/change",
    operation_id="change_password",
    summary="Change the password",
    status_code=204,
    responses=problems.responses(*REFUSALS, InvalidCredentials, WeakPassword, TooManyRequests, Busy),
)
async def change_password(body: ChangeIn, ctx: InContext, caller: InCaller) -> Response:
    """All other sessions end. A wrong current password counts like a failed login."""
    await change.change(ctx, caller, current=body.current_password, password=body.password)
    return Response(status_code=204)
