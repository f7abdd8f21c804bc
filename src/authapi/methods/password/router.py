"""`/signup` and `/login`."""

from fastapi import APIRouter

from authapi.core import problems
from authapi.core.hashing import Busy
from authapi.core.hot import hot
from authapi.core.http import FromClient, InContext
from authapi.core.limits import TooManyRequests
from authapi.methods.password import service
from authapi.methods.password.errors import EmailTaken, InvalidCredentials, WeakPassword
from authapi.methods.password.schemas import LogInIn, SignUpIn
from authapi.signin.schemas import SignedInOut, signed_in_out

router = APIRouter(tags=["sign-in"])


@router.post(
    "/signup",
    operation_id="signup",
    summary="Sign up",
    status_code=201,
    responses=problems.responses(EmailTaken, WeakPassword, TooManyRequests, Busy),
)
@hot
async def sign_up(body: SignUpIn, ctx: InContext, client: FromClient) -> SignedInOut:
    """Makes an account and signs in. A password may have any characters; it is refused when it is easily guessed."""
    outcome = await service.sign_up(
        ctx,
        client,
        email=body.email,
        password=body.password,
        first_name=body.first_name,
        last_name=body.last_name,
        remember=body.remember_me,
    )
    return signed_in_out(outcome)


@router.post(
    "/login",
    operation_id="login",
    summary="Log in",
    responses=problems.responses(InvalidCredentials, TooManyRequests, Busy),
)
@hot
async def log_in(body: LogInIn, ctx: InContext, client: FromClient) -> SignedInOut:
    """Starts a session on this device. An unknown address and a wrong password get the same answer."""
    outcome = await service.log_in(ctx, client, email=body.email, password=body.password, remember=body.remember_me)
    return signed_in_out(outcome)
