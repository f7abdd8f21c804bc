"""What happened, written in the transaction in which it happened."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import store
from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.core.http import Client

_RECORD = text(f"""
    INSERT INTO {AuditEvent.__tablename__} (id, name, at, user_id, session_id, ip, user_agent, request_id, data)
    VALUES (:id, :name, clock_timestamp() + CAST(:offset AS interval), :user_id, :session_id, :ip, :user_agent,
            :request_id, CAST(:data AS jsonb))
""")
"""Text, because it is a part of every sign-in: SQLAlchemy spends more on building the statement than Postgres on it."""

_FORGET = text("""
    SELECT audit_forget(:user_id, CAST(:since AS timestamptz), CAST(:batch AS integer), CAST(:offset AS interval))
""")

EVENTS = {
    "user.signed_up": "A person registered.",
    "message.failed": "A message to a person could not be delivered; `data.kind` says which.",
    "user.profile_changed": "A person changed their profile; `data.fields` says what, not to what.",
    "user.leaving": "An account is to be erased; `data.by` says who wants that if it was not the person.",
    "user.erased": "A person was erased. What is on record about them stays, without them.",
    "user.disabled": "An operator disabled a person, who is signed out and cannot sign in.",
    "user.enabled": "An operator let a person sign in again.",
    "user.exported": "A person took along what is held about them.",
    "user.claimed": "Somebody proved the address of an account that never had; what it was set up with is void.",
    "user.displaced": "An account that never proved its address lost it to whoever did, and is to be erased.",
    "email.verified": "A person proved their address.",
    "email.code_refused": "A code for an address was wrong, expired, used before or tried too often.",
    "email.change_asked": "A person asked for another address.",
    "email.changed": "A person has another address, which they have proved.",
    "email.change_stopped": "A change of address was stopped from the old one.",
    "email.restored": "A change of address was undone from the old one.",
    "password.reset_asked": "A link to choose a new password was sent.",
    "password.reset": "A new password was chosen by such a link.",
    "password.changed": "A person changed their password.",
    "sign_in.passed": "A person signed in; `data.method` says how.",
    "sign_in.refused": "A sign-in was refused; without a person when the address belongs to nobody.",
    "sign_in.throttled": "Too many sign-ins of an account have failed, so that further ones wait.",
    "sign_in.confirmed": "A person confirmed their password, so that the sign-in counts as recent.",
    "user.restored": "A person who was leaving signed in again, and stays.",
    "password.rehashed": "A password was hashed anew on login, because the parameters had changed.",
    "session.ended": "A session was ended; `data.reason` says why.",
    "session.renamed": "A person named one of their devices, or took its name away.",
    "session.token_reused": "A refresh token that was no longer current came back, so its session was ended.",
    "session.state_lost": "A refresh token was ahead of the database (failover or restore).",
}
"""Every event by its name; `openapi/events.md` lists the same."""


def sql(
    name: str, *, user: str, source: str, session: str = "NULL", data: str = "'{}'::jsonb", id: str = ":event"
) -> str:
    """The same for a statement of the driver's: one event for each row of `source`. All but the name is SQL; the
    statement's parameters are those of `values`, and `event`, the id."""
    if name not in EVENTS:
        raise ValueError(f"{name} is not in audit.service.EVENTS")
    return f"""
        INSERT INTO {AuditEvent.__tablename__} (id, name, at, user_id, session_id, ip, user_agent, request_id, data)
        SELECT CAST({id} AS uuid), '{name}', clock_timestamp() + CAST(:offset AS interval), {user}, {session},
               CAST(:ip AS text), CAST(:user_agent AS text), CAST(:request_id AS text), {data} {source}
    """


def values(ctx: Context, client: Client) -> dict[str, Any]:
    """The parameters of `sql`."""
    return {
        "event": ctx.random.id(),
        "offset": ctx.clock.offset,
        "ip": client.ip,
        "user_agent": client.user_agent,
        "request_id": client.request_id,
    }


async def record(
    ctx: Context,
    tx: AsyncSession,
    name: str,
    client: Client,
    user_id: UUID | None = None,
    session_id: UUID | None = None,
    **data: str,
) -> None:
    """`data` holds no secret and nothing that names a person who is not the event's own."""
    if name not in EVENTS:
        raise ValueError(f"{name} is not in audit.service.EVENTS")
    values = {
        "id": ctx.random.id(),
        "name": name,
        "offset": ctx.clock.offset,
        "user_id": user_id,
        "session_id": session_id,
        "ip": client.ip,
        "user_agent": client.user_agent,
        "request_id": client.request_id,
        "data": json.dumps(data),
    }
    await tx.execute(_RECORD, values)


async def of(ctx: Context, user_id: UUID, *, before: UUID | None, limit: int) -> tuple[Sequence[AuditEvent], bool]:
    """A page of a person's events, the newest first, and whether it is the last one."""
    async with ctx.db() as tx:
        events = await store.of_person(tx, user_id, before=before, limit=limit + 1)
    return events[:limit], len(events) <= limit


async def forget(
    ctx: Context, tx: AsyncSession, user_id: UUID, *, since: datetime | None = None, batch: int | None = None
) -> datetime | None:
    """A step: takes address and user agent off the next events of a person, in the order of their times, from the
    first one after `since` on. Returns the `since` of the next batch, None at the end. The chains stay whole.

    The database refuses to do this to anybody who is there and not yet due to be erased.
    """
    values = {"user_id": user_id, "since": since, "batch": batch, "offset": ctx.clock.offset}
    return cast(datetime | None, await tx.scalar(_FORGET, values))
