"""`/users/me/events`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from authapi.audit import service
from authapi.audit.schemas import EXAMPLE, EventsOut, events_out
from authapi.core import problems
from authapi.core.http import InContext
from authapi.sessions.caller import REFUSALS, InCaller

router = APIRouter(tags=["users"])


class Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    before: UUID | None = Field(None, description="`next` of the page before.", examples=[EXAMPLE])
    limit: int = Field(20, ge=1, le=100, description="The most events of a page.", examples=[20])


@router.get(
    "/me/events",
    operation_id="list_events",
    summary="What happened to my account",
    responses=problems.responses(*REFUSALS),
)
async def list_events(ctx: InContext, caller: InCaller, page: Annotated[Page, Query()]) -> EventsOut:
    """The person's own events, page by page, as far back as they are kept."""
    events, is_all = await service.of(ctx, caller.user_id, before=page.before, limit=page.limit)
    return events_out(events, is_all=is_all)
