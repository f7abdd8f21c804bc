"""A person's own profile."""

from uuid import UUID

from authapi.audit import service as audit
from authapi.core.context import Context
from authapi.core.http import Caller
from authapi.users import store
from authapi.users.models import User


async def profile(ctx: Context, user_id: UUID) -> User | None:
    async with ctx.db() as tx:
        return await store.by_id(tx, user_id)


async def change_profile(ctx: Context, caller: Caller, **changes: str | None) -> User | None:
    """Only what is named is changed; None clears it. The record names what was changed, and no value."""
    if not changes:
        return await profile(ctx, caller.user_id)
    async with ctx.db.begin() as tx:
        user = await store.change(tx, caller.user_id, **changes)
        if user is not None:
            fields = ",".join(sorted(changes))
            await audit.record(
                ctx, tx, "user.profile_changed", caller.client, user.id, caller.session_id, fields=fields
            )
    return user
