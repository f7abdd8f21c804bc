"""What every router needs from FastAPI."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from authapi.core.context import Context
from authapi.core.proxies import household

USER_AGENT_LENGTH = 256


class Body(BaseModel):
    """What a client sends: no unknown members, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request came from. Services take this, never the request."""

    ip: str
    user_agent: str
    request_id: str = ""

    @property
    def household(self) -> str:
        """What limits count by."""
        return household(self.ip)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, as their access token says. `methods` are the `amr` values of RFC 8176."""

    client: Client
    user_id: UUID
    session_id: UUID
    signed_in_at: datetime
    methods: tuple[str, ...]
    email_verified: bool


async def context(request: Request) -> Context:
    return cast(Context, request.app.state.context)


async def client(request: Request) -> Client:
    """The address is already that of the nearest hop that no trusted proxy vouches for."""
    return Client(
        request.client.host if request.client else "",
        request.headers.get("user-agent", "")[:USER_AGENT_LENGTH],
        request.state.request_id,
    )


InContext = Annotated[Context, Depends(context)]
FromClient = Annotated[Client, Depends(client)]
