"""Passwords that are refused when somebody chooses them."""

from collections.abc import Sequence

from authapi.core.context import Context
from authapi.methods.password import common, rules
from authapi.methods.password.errors import WeakPassword


async def refuse_weak(ctx: Context, password: str, *, personal: Sequence[str]) -> None:
    """`personal` are names and addresses as the person writes them. Raises WeakPassword, Busy."""
    weakness = await ctx.hasher.run(
        rules.weakness, password, minimum=ctx.settings.password_min_length, personal=personal, common=common.passwords()
    )
    if weakness is not None:
        fault = {"pointer": "/password", "message": weakness.message}
        raise WeakPassword(weakness.message, reason=weakness.code, errors=[fault])
