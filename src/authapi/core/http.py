"""What every router needs from FastAPI."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from authapi.core.context import Context
from authapi.core.proxies import household

USER_AGENT_LENGTH = 256
ACCEPT_LANGUAGE_LENGTH = 200

HUNG_UP = "authapi.hung_up"
"""The ASGI extension of a server that can be asked whether the client is still there."""


class Body(BaseModel):
    """What a client sends: no unknown members, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AcceptedOut(BaseModel):
    """What there is to do is done later, and whether there was anything is not told."""

    status: Literal["accepted"] = "accepted"


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request came from. Services take this, never the request."""

    ip: str
    user_agent: str
    request_id: str = ""
    accept_language: str = ""

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
    scope = request.scope  # Starlette's views of it would cost more than all the rest here, at every hot call
    user_agent = accept_language = b""
    for name, value in scope["headers"]:
        if name == b"user-agent":
            user_agent = user_agent or value
        elif name == b"accept-language":
            accept_language = accept_language or value
    address = scope.get("client")
    return Client(
        address[0] if address else "",
        user_agent[:USER_AGENT_LENGTH].decode("latin-1"),
        scope["state"]["request_id"],
        accept_language[:ACCEPT_LANGUAGE_LENGTH].decode("latin-1"),
    )


def has_hung_up(request: Request) -> bool:
    """Whether nobody waits for the answer any more, as far as the server (`core/protocol`) says so: only once the loop
    has looked at the connection again. `Request.is_disconnected` would wait for that, whoever else is kept waiting."""
    ask: Callable[[], bool] | None = request.scope.get("extensions", {}).get(HUNG_UP)
    return ask is not None and ask()


InContext = Annotated[Context, Depends(context)]
FromClient = Annotated[Client, Depends(client)]
