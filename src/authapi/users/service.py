"""A person's own profile, and people found by what is known of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core import db
from authapi.core.context import Context
from authapi.core.http import Caller
from authapi.core.limits import Limit
from authapi.users import store
from authapi.users.models import User

CHANGE_BY_PERSON = Limit("users.profile.person", "60/hour")

FIND_TIMEOUT = 30
"""Seconds: no index finds a part of a name, so everybody is read."""


async def profile(ctx: Context, user_id: UUID) -> User | None:
    async with ctx.db() as tx:
        return await store.by_id(tx, user_id)


async def change_profile(ctx: Context, caller: Caller, **changes: str | None) -> User | None:
    """Only what is named is changed; None clears it. The record names what has another value now, and no value; where
    nothing has, nothing is recorded. Raises TooManyRequests."""
    await ctx.limiter.hit((CHANGE_BY_PERSON, str(caller.user_id)))
    async with ctx.db.begin() as tx:
        user = await store.lock(tx, caller.user_id)
        if user is None:
            return None
        changed = {name: value for name, value in changes.items() if getattr(user, name) != value}
        if changed:
            await store.change(tx, user.id, **changed)
            fields = ",".join(sorted(changed))
            await audit.record(
                ctx, tx, "user.profile_changed", caller.client, user.id, caller.session_id, fields=fields
            )
    return user


async def find(ctx: Context, part: str, *, limit: int) -> Sequence[User]:
    """For operators: longer than any request may take, so on a connection that waits for it."""
    engine = db.engine(ctx.settings, size=1)
    event.listen(engine.sync_engine, "do_connect", _wait)
    try:
        async with AsyncSession(engine, expire_on_commit=False) as tx:
            await tx.execute(text(f"SET LOCAL statement_timeout = '{FIND_TIMEOUT}s'"))
            return await store.find(tx, part, limit=limit)
    finally:
        await engine.dispose()


def _wait(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
    options["command_timeout"] = FIND_TIMEOUT + db.ANSWER_TIMEOUT - db.STATEMENT_TIMEOUT
