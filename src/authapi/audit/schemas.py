"""Bodies about what happened."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from authapi.audit.models import AuditEvent
from authapi.core import devices

EXAMPLE = UUID("019a7d3e-5c1f-7aaa-8b1e-2f6c9d0e4a11")


class EventOut(BaseModel):
    id: UUID
    name: str = Field(description="One of `openapi/events.md`; there will be more.", examples=["sign_in.passed"])
    at: datetime
    session_id: UUID | None = Field(description="The session in which it happened, or which it happened to.")
    ip: str | None = Field(description="Where it came from; null once it was taken off.", examples=["203.0.113.7"])
    device: str | None = Field(description="What with, in words; null likewise.", examples=["Firefox on Linux"])
    data: dict[str, Any] = Field(description="More about it.", examples=[{"method": "password"}])


class EventsOut(BaseModel):
    events: list[EventOut] = Field(description="The newest first.")
    next: UUID | None = Field(description="Pass it as `before` to go on; null at the end.", examples=[EXAMPLE])


def events_out(events: Sequence[AuditEvent], *, is_all: bool) -> EventsOut:
    return EventsOut(events=[_out(event) for event in events], next=None if is_all else events[-1].id)


def _out(event: AuditEvent) -> EventOut:
    return EventOut(
        id=event.id,
        name=event.name,
        at=event.at,
        session_id=event.session_id,
        ip=event.ip or None,
        device=devices.in_words(event.user_agent) if event.salt else None,
        data=event.data,
    )
