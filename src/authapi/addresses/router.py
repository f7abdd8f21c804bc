"""`/email/…`: prove an address, change it, stop a change."""

from typing import Any

from fastapi import APIRouter

from authapi.addresses import change, verification
from authapi.addresses.schemas import (
    ChangedOut,
    ChangeIn,
    ConfirmIn,
    ResendIn,
    StopIn,
    StoppedOut,
    VerifiedOut,
    VerifyIn,
)
from authapi.codes.errors import InvalidCode
from authapi.core import problems
from authapi.core.http import AcceptedOut, FromClient, InContext
from authapi.core.limits import TooManyRequests
from authapi.sessions.caller import REFUSALS, InMaybeCaller, InRecentCaller
from authapi.sessions.errors import RecentSignInNeeded

router = APIRouter(prefix="/email", tags=["addresses"])

EITHER_WAY: dict[str, Any] = {"security": [{}]}


@router.post(
    "/verify",
    operation_id="verify_email",
    summary="Prove an address",
    responses=problems.responses(InvalidCode, TooManyRequests),
)
async def verify(body: VerifyIn, ctx: InContext, client: FromClient) -> VerifiedOut:
    """By the link or the code of the mail, on any device, signed in or not.

    A device that waits sees it in `session`; access tokens say so after the next refresh. Where an account was signed
    up for more than once before anybody proved the address, the password that counts is the one of the sign-up whose
    mail was used.
    """
    email = await verification.verify(ctx, client, token=body.token, email=body.email, code=body.code)
    return VerifiedOut(email=email)


@router.post(
    "/resend",
    operation_id="resend_verification",
    summary="Send another link and code",
    status_code=202,
    openapi_extra=EITHER_WAY,
    responses=problems.responses(*REFUSALS, TooManyRequests),
)
async def resend(
    ctx: InContext, client: FromClient, caller: InMaybeCaller, body: ResendIn | None = None
) -> AcceptedOut:
    """For the person who asks, by access token, or for an address. The answer is always the same."""
    await verification.resend(ctx, client, caller=caller, email=body.email if body else None)
    return AcceptedOut()


@router.post(
    "/change",
    operation_id="change_email",
    summary="Ask for another address",
    status_code=202,
    responses=problems.responses(*REFUSALS, RecentSignInNeeded, TooManyRequests),
)
async def ask(body: ChangeIn, ctx: InContext, caller: InRecentCaller) -> AcceptedOut:
    """Sends a link and a code to the new address, and a way to stop it to the present one. The answer is always the
    same, also where the address is somebody else's. Needs a recent sign-in."""
    await change.ask(ctx, caller, email=body.email)
    return AcceptedOut()


@router.post(
    "/change/confirm",
    operation_id="confirm_email_change",
    summary="Confirm the new address",
    openapi_extra=EITHER_WAY,
    responses=problems.responses(*REFUSALS, InvalidCode, TooManyRequests),
)
async def confirm(body: ConfirmIn, ctx: InContext, client: FromClient, caller: InMaybeCaller) -> ChangedOut:
    """By the link, on any device; or by the code, with an access token. All sessions end but the one that asked."""
    return ChangedOut(email=await change.confirm(ctx, client, token=body.token, caller=caller, code=body.code))


@router.post(
    "/change/stop",
    operation_id="stop_email_change",
    summary="Stop or undo a change of address",
    responses=problems.responses(InvalidCode, TooManyRequests),
)
async def stop(body: StopIn, ctx: InContext, client: FromClient) -> StoppedOut:
    """By the link that the old address got; seven days long, also after the change."""
    done = await change.stop(ctx, client, token=body.token)
    return StoppedOut(status="restored" if done.undone else "stopped", email=done.email)
