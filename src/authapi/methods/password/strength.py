"""Passwords that are refused when somebody chooses them."""

from collections.abc import Sequence
from functools import partial

from authapi.core.context import Context
from authapi.methods.password import common, rules
from authapi.methods.password.errors import WeakPassword
from authapi.users.models import User


async def hashed(ctx: Context, password: str, *, personal: Sequence[str]) -> str:
    """The hash of a new password, which is judged first.

    `personal` are names and addresses as the person writes them. Raises WeakPassword, Busy, Unavailable.
    """
    check = partial(_refuse_weak, minimum=ctx.settings.password_min_length, personal=personal)
    return await ctx.hasher.hash(password, check=check)


def personal(user: User) -> tuple[str, ...]:
    return user.email, user.first_name or "", user.last_name or ""


def _refuse_weak(password: str, *, minimum: int, personal: Sequence[str]) -> None:
    weakness = rules.weakness(password, minimum=minimum, personal=personal, common=common.passwords())
    if weakness is not None:
        fault = {"pointer": "/password", "message": weakness.message}
        raise WeakPassword(weakness.message, reason=weakness.code, errors=[fault])
