"""The events of a person, the chains, and what seals them, in SQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Result, Row, Select, Text, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit.chains import Anchor, Event, Point
from authapi.audit.models import AuditAnchor, AuditChain, AuditEvent
from authapi.core import db
from authapi.core.clock import Clock

_HASHED = (
    *(AuditEvent.seq, AuditEvent.id, AuditEvent.name, AuditEvent.at, AuditEvent.user_id, AuditEvent.session_id),
    *(AuditEvent.ip, AuditEvent.user_agent, AuditEvent.request_id, AuditEvent.data.cast(Text).label("data")),
    *(AuditEvent.salt, AuditEvent.client_hash, AuditEvent.hash),
)

_CHAINS = text("""
    WITH RECURSIVE found AS (
        (SELECT chain FROM audit_events ORDER BY chain LIMIT 1)
        UNION ALL
        SELECT (SELECT e.chain FROM audit_events e WHERE e.chain > f.chain ORDER BY e.chain LIMIT 1) FROM found f
         WHERE f.chain IS NOT NULL
    )
    SELECT chain FROM found WHERE chain IS NOT NULL
     UNION SELECT chain FROM audit_chains UNION SELECT chain FROM audit_anchors ORDER BY chain
""")
"""From one chain to the next by the index, rather than over all events."""

_CUT = text("SELECT audit_cut(:chain, CAST(:age AS interval), :batch)")
_BLANK = text("SELECT audit_blank(CAST(:age AS interval), :batch)")


async def of_person(tx: AsyncSession, user_id: UUID, *, before: UUID | None, limit: int) -> Sequence[AuditEvent]:
    """The newest first. `before` is one of the person's own events; anybody else's is before all of them."""
    mine = select(AuditEvent).where(AuditEvent.user_id == user_id)
    if before is not None:
        last = select(AuditEvent.at, AuditEvent.id).where(AuditEvent.id == before, AuditEvent.user_id == user_id)
        mine = mine.where(tuple_(AuditEvent.at, AuditEvent.id) < last.scalar_subquery())
    newest = mine.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit)
    return (await tx.scalars(newest)).all()


async def chains(tx: AsyncSession) -> Sequence[int]:
    """Every chain of which there is anything."""
    return (await tx.scalars(_CHAINS)).all()


async def extent(tx: AsyncSession) -> int:
    return (await tx.scalars(select(func.coalesce(func.sum(AuditChain.seq - AuditChain.cut_seq), 0)))).one()


async def head(tx: AsyncSession, chain: int) -> AuditChain | None:
    return (await tx.scalars(select(AuditChain).where(AuditChain.chain == chain))).one_or_none()


async def first(tx: AsyncSession, chain: int) -> Event | None:
    return _event(await tx.execute(_of(chain).limit(1)))


async def page(tx: AsyncSession, chain: int, *, after: int, upto: int, limit: int) -> Sequence[Event]:
    some = _of(chain).where(AuditEvent.seq > after, AuditEvent.seq <= upto).limit(limit)
    return cast(Sequence[Event], (await tx.execute(some)).all())


async def beyond(tx: AsyncSession, chain: int) -> Event | None:
    """An event after the head of its chain: in one snapshot there is none."""
    further = _of(chain).join(AuditChain, AuditChain.chain == AuditEvent.chain).where(AuditEvent.seq > AuditChain.seq)
    return _event(await tx.execute(further.limit(1)))


def _of(chain: int) -> Select[Any]:
    return select(*_HASHED).where(AuditEvent.chain == chain).order_by(AuditEvent.seq)


def _event(found: Result[Any]) -> Event | None:
    return cast(Event | None, found.first())


async def anchors(tx: AsyncSession, chain: int) -> Sequence[Anchor]:
    """The oldest first."""
    those = select(AuditAnchor).where(AuditAnchor.chain == chain).order_by(AuditAnchor.seq)
    return cast(Sequence[Anchor], (await tx.scalars(those)).all())


async def now(tx: AsyncSession, clock: Clock) -> datetime:
    return (await tx.scalars(select(db.now(clock)))).one()


async def unsealed(tx: AsyncSession) -> Sequence[Row[AuditChain, AuditAnchor | None]]:
    """(chain, head, last anchor or None) of every chain that has gone on since its last anchor."""
    last = select(AuditAnchor.chain, func.max(AuditAnchor.seq).label("seq")).group_by(AuditAnchor.chain).subquery()
    grown = (
        select(AuditChain, AuditAnchor)
        .outerjoin(last, last.c.chain == AuditChain.chain)
        .outerjoin(AuditAnchor, (AuditAnchor.chain == last.c.chain) & (AuditAnchor.seq == last.c.seq))
        .where(func.coalesce(last.c.seq, 0) < AuditChain.seq)
        .order_by(AuditChain.chain)
    )
    return cast(Sequence[Row[AuditChain, AuditAnchor | None]], (await tx.execute(grown)).all())


async def anchor(tx: AsyncSession, chain: int, point: Point, *, at: datetime, mac: bytes) -> None:
    """One for each day, which moves on with the chain."""
    row = insert(AuditAnchor).values(chain=chain, day=at.date(), seq=point.seq, hash=point.hash, at=at, mac=mac)
    moved = {name: row.excluded[name] for name in ("seq", "hash", "at", "mac")}
    same_day = [AuditAnchor.chain, AuditAnchor.day]
    await tx.execute(row.on_conflict_do_update(index_elements=same_day, set_=moved, where=AuditAnchor.seq < point.seq))


async def sealed_with(tx: AsyncSession, key_ids: Sequence[int], *, limit: int) -> Sequence[AuditAnchor]:
    others = select(AuditAnchor).where(func.get_byte(AuditAnchor.mac, 0).in_(key_ids))
    return (await tx.scalars(others.order_by(AuditAnchor.chain, AuditAnchor.day).limit(limit))).all()


async def seal_anew(tx: AsyncSession, anchor: AuditAnchor, mac: bytes) -> None:
    this = (AuditAnchor.chain == anchor.chain, AuditAnchor.day == anchor.day, AuditAnchor.mac == anchor.mac)
    await tx.execute(update(AuditAnchor).where(*this).values(mac=mac))


async def cut(tx: AsyncSession, chain: int, *, age: timedelta, batch: int) -> int:
    """How many of the oldest events were deleted."""
    return int((await tx.scalars(_CUT, {"chain": chain, "age": age, "batch": batch})).one())


async def blank(tx: AsyncSession, *, age: timedelta, batch: int) -> int:
    """From how many events address and user agent were taken."""
    return int((await tx.scalars(_BLANK, {"age": age, "batch": batch})).one())
