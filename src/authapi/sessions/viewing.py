"""Sessions looked at: the one that asks, and all of a person's; and the names people give them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from authapi.audit import service as audit
from authapi.core.context import Context
from authapi.core.http import Caller
from authapi.core.limits import Limit
from authapi.sessions import denylist, store
from authapi.sessions.errors import SessionEnded, SessionUnknown, ended_as
from authapi.sessions.models import Session

RENAME_BY_PERSON = Limit("sessions.rename.person", "60/hour")
OVER = ("expired_or_disabled", None)


async def current(ctx: Context, caller: Caller) -> Any:
    """The row of `store.view`, in one statement that is also the proof that the session still stands.

    Raises SessionEnded where it is over or the person is disabled.
    """
    row = await store.view(ctx.batcher, ctx.clock, caller.session_id)
    if row is None:
        raise SessionEnded(**ended_as(*(await denylist.truth(ctx, caller.session_id) or OVER)))
    return row


async def live(ctx: Context, caller: Caller) -> Sequence[Session]:
    """Raises SessionEnded where the caller's own is not among them."""
    async with ctx.db() as tx:
        sessions = await store.live(tx, ctx.clock, caller.user_id)
    if not any(session.id == caller.session_id for session in sessions):
        raise SessionEnded(**ended_as(*OVER))
    return sessions


async def rename(ctx: Context, caller: Caller, session_id: UUID, *, label: str | None) -> Session:
    """None takes the name away. On record where it is another name. Raises TooManyRequests, and SessionUnknown for
    what is not among the person's live sessions."""
    await ctx.limiter.hit((RENAME_BY_PERSON, str(caller.user_id)))
    async with ctx.db.begin() as tx:
        found = await store.by_id(tx, session_id)
        before = found.label if found is not None else None
        session = await store.rename(tx, ctx.clock, session_id, caller.user_id, label)
        if session is None:
            raise SessionUnknown()
        if label != before:
            await audit.record(ctx, tx, "session.renamed", caller.client, caller.user_id, session_id)
    return session
