"""The SQL of one-time secrets."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.codes.models import OneTimeSecret
from authapi.core import db
from authapi.core.clock import Clock

MOST_TRIES = 5
"""Guesses at one code (OWASP ASVS 6.6.3): at 20 bits a chance of 1 in 200 000."""

_NOW = "(clock_timestamp() + CAST(:offset AS interval))"

ISSUED = f"""
    INSERT INTO one_time_secrets (id, purpose, digest, code_digest, binding, user_id, tries, data, created_at,
                                  expires_at)
    SELECT CAST(:secret AS uuid), CAST(:purpose AS text), CAST(:digest AS bytea), CAST(:code_digest AS bytea),
           CAST(:binding AS bytea), person.id, 0, CAST(:data AS bytea), t.now,
           t.now + make_interval(secs => CAST(:lifetime AS integer))
      FROM person, LATERAL (SELECT {_NOW} AS now) AS t
"""
"""A secret for each row (id) of `person`. Every one goes through this text."""

_ADD = text(f"WITH person AS (SELECT CAST(:user_id AS uuid) AS id) {ISSUED}")

_SPEND = text(f"""
    UPDATE one_time_secrets AS s
       SET tries = s.tries + CASE WHEN presented.by_token OR s.code_digest = ANY(:code_digests) THEN 0 ELSE 1 END,
           spent_at = CASE WHEN presented.by_token OR s.code_digest = ANY(:code_digests) THEN {_NOW} END
      FROM (SELECT id, true AS by_token FROM one_time_secrets WHERE digest = :digest AND purpose = :purpose
             UNION ALL
           (SELECT id, false FROM one_time_secrets
             WHERE binding = :binding AND purpose = :purpose AND code_digest IS NOT NULL
             ORDER BY created_at DESC, id DESC LIMIT 1)) AS presented
     WHERE s.id = presented.id AND s.spent_at IS NULL AND s.expires_at > {_NOW}
       AND (presented.by_token OR s.tries < {MOST_TRIES})
 RETURNING s.id, s.user_id, s.data, s.spent_at IS NOT NULL AS passed
""")
"""The one claim for tokens and codes of every purpose. Of many at once the row lock lets one through; the others see
`spent_at`. Of several codes with one binding the newest counts; too many wrong ones end the code, not the token: else
a stranger could kill the link in somebody's mail."""

_PURGE = text(f"""
    WITH spent AS (
        SELECT id FROM one_time_secrets WHERE spent_at IS NOT NULL
         ORDER BY spent_at LIMIT :batch FOR UPDATE SKIP LOCKED
    ), expired AS (
        SELECT id FROM one_time_secrets WHERE expires_at < (SELECT {_NOW} - make_interval(secs => :kept))
         ORDER BY expires_at LIMIT :batch FOR UPDATE SKIP LOCKED
    )
    DELETE FROM one_time_secrets WHERE id IN (SELECT id FROM spent UNION SELECT id FROM expired)
""")
"""Each by an index of its own. The time stands in a subquery: taken once, it can be looked for in an index."""


async def add(tx: AsyncSession, user_id: UUID | None, values: Mapping[str, Any]) -> None:
    """Adds a secret (see ISSUED)."""
    await tx.execute(_ADD, {**values, "user_id": user_id})


async def spend(
    tx: AsyncSession,
    clock: Clock,
    purpose: str,
    *,
    digest: bytes | None,
    binding: bytes | None,
    code_digests: Sequence[bytes],
) -> Any:
    """(id, user_id, data, passed) of the live secret that was presented or guessed at, or None."""
    parameters = {
        "purpose": purpose,
        "digest": digest,
        "binding": binding,
        "code_digests": list(code_digests),
        "offset": clock.offset,
    }
    return (await tx.execute(_SPEND, parameters)).one_or_none()


async def owner(tx: AsyncSession, clock: Clock, purpose: str, digest: bytes) -> UUID | None:
    statement = select(OneTimeSecret.user_id).where(
        OneTimeSecret.digest == digest,
        OneTimeSecret.purpose == purpose,
        OneTimeSecret.spent_at.is_(None),
        OneTimeSecret.expires_at > db.now(clock),
    )
    return await tx.scalar(statement)


async def void(tx: AsyncSession, clock: Clock, user_id: UUID, purposes: Sequence[str]) -> None:
    which = [OneTimeSecret.purpose.in_(purposes)] if purposes else []
    statement = update(OneTimeSecret).where(OneTimeSecret.user_id == user_id, OneTimeSecret.spent_at.is_(None), *which)
    await tx.execute(statement.values(spent_at=db.now(clock)))


async def void_later(tx: AsyncSession, clock: Clock, user_id: UUID, purpose: str, than: UUID) -> None:
    since = select(OneTimeSecret.created_at).where(OneTimeSecret.id == than).scalar_subquery()
    statement = update(OneTimeSecret).where(
        OneTimeSecret.user_id == user_id,
        OneTimeSecret.purpose == purpose,
        OneTimeSecret.spent_at.is_(None),
        OneTimeSecret.created_at > since,
    )
    await tx.execute(statement.values(spent_at=db.now(clock)))


async def newest(tx: AsyncSession, purpose: str, user_id: UUID) -> Any:
    """(id, data) of the unspent secret that was issued last for a person, expired or not, or None."""
    statement = (
        select(OneTimeSecret.id, OneTimeSecret.data)
        .where(OneTimeSecret.user_id == user_id, OneTimeSecret.purpose == purpose, OneTimeSecret.spent_at.is_(None))
        .order_by(OneTimeSecret.created_at.desc(), OneTimeSecret.id.desc())
        .limit(1)
    )
    return (await tx.execute(statement)).one_or_none()


async def purge(tx: AsyncSession, clock: Clock, *, kept: int, batch: int) -> int:
    """Deletes a batch of what is spent and one of what expired `kept` seconds ago; returns how many."""
    result = await tx.execute(_PURGE, {"kept": kept, "batch": batch, "offset": clock.offset})
    return int(result.rowcount)  # type: ignore[attr-defined]
