"""What happened, and to whom."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class AuditEvent(Table):
    """No foreign keys: an event outlives the person it is about."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_user_id_at", "user_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    at: Mapped[datetime]
    user_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    ip: Mapped[str]
    user_agent: Mapped[str]
    request_id: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
