"""What happened, and to whom; the chains that hold it together, and what seals them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class AuditEvent(Table):
    """No foreign keys: an event outlives the person it is about.

    From `chain` on it is filled in by the database. `salt` is None once address and user agent were taken off.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_user_id_at", "user_id", "at"),
        Index("uq_audit_events_chain_seq", "chain", "seq", unique=True),
        Index("ix_audit_events_at_with_client", "at", postgresql_where=text("salt IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    at: Mapped[datetime]
    user_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    ip: Mapped[str]
    user_agent: Mapped[str]
    request_id: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    chain: Mapped[int]
    seq: Mapped[int] = mapped_column(BigInteger)
    salt: Mapped[UUID | None]
    client_hash: Mapped[bytes]
    hash: Mapped[bytes]


class AuditChain(Table):
    """The last event of each chain, and the last one that was deleted for its age. Written by the database alone."""

    __tablename__ = "audit_chains"
    __table_args__ = ({"postgresql_with": {"fillfactor": 50}},)

    chain: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]
    cut_seq: Mapped[int] = mapped_column(BigInteger)
    cut_hash: Mapped[bytes]


class AuditAnchor(Table):
    """How far a chain had come on a day, under a key that is not in the database (`mac`: key id, HMAC)."""

    __tablename__ = "audit_anchors"

    chain: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes]
    at: Mapped[datetime]
    mac: Mapped[bytes]
