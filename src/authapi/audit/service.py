"""What happened, written in the transaction in which it happened."""

import json
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.core.http import Client

_RECORD = text(f"""
    INSERT INTO {AuditEvent.__tablename__} (id, name, at, user_id, session_id, ip, user_agent, request_id, data)
    VALUES (:id, :name, clock_timestamp() + CAST(:offset AS interval), :user_id, :session_id, :ip, :user_agent,
            :request_id, CAST(:data AS jsonb))
""")
"""Text, because it is a part of every sign-in: SQLAlchemy spends more on building the statement than Postgres on it."""

EVENTS = {
    "user.signed_up": "A person registered.",
    "sign_in.passed": "A person signed in; `data.method` says how.",
    "sign_in.refused": "A sign-in was refused; without a person when the address belongs to nobody.",
    "password.rehashed": "A password was hashed anew on login, because the parameters had changed.",
    "session.ended": "A session was ended; `data.reason` says why.",
    "session.token_reused": "A refresh token that was no longer current came back, so its session was ended.",
    "session.state_lost": "A refresh token was ahead of the database (failover or restore).",
}
"""Every event by its name; `openapi/events.md` lists the same."""


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
