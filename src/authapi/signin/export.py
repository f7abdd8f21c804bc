"""Everything that is held about a person, for the person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, false, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from authapi.audit import service as audit
from authapi.audit.models import AuditEvent
from authapi.codes.models import OneTimeSecret
from authapi.core import db
from authapi.core.context import Context
from authapi.core.http import Caller
from authapi.core.limits import Limit
from authapi.credentials.models import Credential
from authapi.outbox.models import StoredMessage
from authapi.sessions.errors import SessionEnded, ended_as
from authapi.sessions.models import Session
from authapi.users.models import User

EXPORT = Limit("users.export", "10/hour")

MOST = 10_000
"""Rows of one part, the newest. Of events alone there may be more, and those can be paged through."""

Column: TypeAlias = InstrumentedAttribute[Any]
Row: TypeAlias = dict[str, Any]
NOTHING = false()


@dataclass(frozen=True, slots=True)
class Part:
    """What a table holds about its `owner`. Only what is named is shown, never a secret or a digest of one; `but` says
    which rows are not."""

    name: str
    owner: Column
    since: Column
    shown: Sequence[Column]
    but: ColumnElement[bool] = NOTHING


PARTS = (
    Part(
        "profile",
        User.id,
        User.created_at,
        (
            *(User.id, User.email, User.email_key, User.email_verified_at, User.first_name, User.last_name),
            *(User.locale, User.time_zone, User.picture_url, User.created_at, User.disabled_at, User.erase_at),
        ),
    ),
    Part(
        "credentials",
        Credential.user_id,
        Credential.created_at,
        (Credential.id, Credential.method, Credential.step, Credential.created_at),
    ),
    Part(
        "sessions",
        Session.user_id,
        Session.created_at,
        (
            *(Session.id, Session.label, Session.ip, Session.user_agent, Session.methods, Session.created_at),
            *(Session.authenticated_at, Session.rotated_at, Session.replayed_at, Session.idle_expires_at),
            *(Session.absolute_expires_at, Session.ended_at, Session.end_reason, Session.ended_by),
        ),
    ),
    Part(
        "messages",
        StoredMessage.user_id,
        StoredMessage.created_at,
        (
            *(StoredMessage.id, StoredMessage.kind, StoredMessage.recipient, StoredMessage.locale),
            *(StoredMessage.state, StoredMessage.created_at, StoredMessage.finished_at),
        ),
        but=StoredMessage.kind == "confirm_address",  # it tells that nobody else has an address that one asks for
    ),
    Part(
        "one_time_secrets",
        OneTimeSecret.user_id,
        OneTimeSecret.created_at,
        (
            *(OneTimeSecret.id, OneTimeSecret.purpose, OneTimeSecret.tries, OneTimeSecret.created_at),
            *(OneTimeSecret.expires_at, OneTimeSecret.spent_at),
        ),
    ),
    Part(
        "events",
        AuditEvent.user_id,
        AuditEvent.at,
        (
            *(AuditEvent.id, AuditEvent.name, AuditEvent.at, AuditEvent.session_id, AuditEvent.ip),
            *(AuditEvent.user_agent, AuditEvent.request_id, AuditEvent.data),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Export:
    at: datetime
    is_complete: bool
    profile: Row
    lists: dict[str, list[Row]]


async def export(ctx: Context, caller: Caller) -> Export:
    """Raises TooManyRequests, and SessionEnded where the person was erased meanwhile."""
    await ctx.limiter.hit((EXPORT, str(caller.user_id)))
    async with ctx.db.begin() as tx:
        at = (await tx.scalars(select(db.now(ctx.clock)))).one()
        found = {part.name: await _rows(tx, part, caller) for part in PARTS}
        await audit.record(ctx, tx, "user.exported", caller.client, caller.user_id, caller.session_id)
    profile = found.pop("profile")
    if not profile:
        raise SessionEnded(**ended_as("unknown", None))
    is_complete = all(len(rows) <= MOST for rows in found.values())
    return Export(at, is_complete, profile[0], {name: rows[:MOST] for name, rows in found.items()})


async def _rows(tx: AsyncSession, part: Part, caller: Caller) -> list[Row]:
    """The newest first, and one more than are shown."""
    statement = (
        select(*part.shown).where(part.owner == caller.user_id, ~part.but).order_by(part.since.desc()).limit(MOST + 1)
    )
    return [dict(row) for row in (await tx.execute(statement)).mappings()]
