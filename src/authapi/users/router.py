"""`/users/me`: the profile, leaving, and everything that is held about a person."""

from fastapi import APIRouter, Response

from authapi.core import problems
from authapi.core.http import InContext
from authapi.core.limits import TooManyRequests
from authapi.sessions.caller import REFUSALS, InCaller, InRecentCaller
from authapi.sessions.errors import RecentSignInNeeded, SessionEnded, ended_as
from authapi.signin import departure
from authapi.signin import export as exporting
from authapi.users import service
from authapi.users.models import User
from authapi.users.schemas import ExportOut, LeavingOut, ProfileIn, UserOut, user_out

router = APIRouter(tags=["users"])


@router.get("/me", operation_id="get_profile", summary="My profile", responses=problems.responses(*REFUSALS))
async def get_profile(ctx: InContext, caller: InCaller) -> UserOut:
    """What is known of the person who asks."""
    return user_out(_there(await service.profile(ctx, caller.user_id)))


@router.patch(
    "/me",
    operation_id="change_profile",
    summary="Change my profile",
    responses=problems.responses(*REFUSALS, TooManyRequests),
)
async def change_profile(body: ProfileIn, ctx: InContext, caller: InCaller) -> UserOut:
    """What the body does not name stays as it is; null clears it. The e-mail address is changed elsewhere."""
    return user_out(_there(await service.change_profile(ctx, caller, **body.model_dump(exclude_unset=True))))


@router.delete(
    "/me",
    operation_id="leave",
    summary="Delete my account",
    status_code=202,
    responses=problems.responses(*REFUSALS, RecentSignInNeeded),
)
async def leave(ctx: InContext, caller: InRecentCaller) -> LeavingOut:
    """Signs the person out everywhere. At `erase_at` the account and what it holds are erased; until then, signing in
    restores it."""
    return LeavingOut(erase_at=await departure.leave(ctx, caller))


@router.get(
    "/me/export",
    operation_id="export",
    summary="Everything about me",
    responses=problems.responses(*REFUSALS, RecentSignInNeeded, TooManyRequests),
)
async def export(ctx: InContext, caller: InRecentCaller, response: Response) -> ExportOut:
    """All that is held about the person, as a file. Hashes and tokens are not in it, nor mails to an address
    that was asked for; nothing else is left out."""
    found = await exporting.export(ctx, caller)
    response.headers["Content-Disposition"] = 'attachment; filename="account.json"'
    return ExportOut(exported_at=found.at, is_complete=found.is_complete, profile=found.profile, **found.lists)


def _there(user: User | None) -> User:
    """Raises SessionEnded where the person was erased under a token that had yet to expire."""
    if user is None:
        raise SessionEnded(**ended_as("unknown", None))
    return user
