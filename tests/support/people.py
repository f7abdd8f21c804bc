"""Ada and Bob, and what they do over HTTP."""

from dataclasses import dataclass, field
from typing import Any

import httpx

PREFIX = "/api/v1/auth"
PASSWORD = "correct horse battery staple"
ADA = {"email": "ada@example.com", "password": PASSWORD}
BOB = {"email": "bob@example.com", "password": PASSWORD}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Person:
    """Somebody signed in on one device, with the newest tokens they have."""

    api: httpx.AsyncClient
    tokens: dict[str, Any]
    credentials: dict[str, str] = field(default_factory=lambda: dict(ADA))

    @property
    def refresh_token(self) -> str:
        return str(self.tokens["refresh_token"])

    @property
    def access_token(self) -> str:
        return str(self.tokens["access_token"])

    @property
    def session_id(self) -> str:
        return str(self.tokens["session_id"])

    async def refresh(self, token: str | None = None, *, at: httpx.AsyncClient | None = None) -> httpx.Response:
        """Presents a token (the newest one unless told), and keeps what comes back."""
        body = {"refresh_token": token or self.refresh_token}
        reply = await (at or self.api).post(f"{PREFIX}/refresh", json=body)
        if reply.status_code == 200:
            self.tokens = reply.json()
        return reply

    async def session(self, *, at: httpx.AsyncClient | None = None) -> httpx.Response:
        return await (at or self.api).get(f"{PREFIX}/session", headers=bearer(self.access_token))

    async def get(self, path: str) -> httpx.Response:
        return await self.api.get(f"{PREFIX}{path}", headers=bearer(self.access_token))

    async def log_out(self, **body: str) -> httpx.Response:
        return await self.api.post(f"{PREFIX}/logout", json=body, headers=bearer(self.access_token))


async def sign_up(api: httpx.AsyncClient, credentials: dict[str, str] = ADA, **more: Any) -> Person:
    reply = await api.post(f"{PREFIX}/signup", json={**credentials, **more})
    assert reply.status_code == 201, reply.text
    return Person(api, reply.json(), dict(credentials))


async def log_in(api: httpx.AsyncClient, credentials: dict[str, str] = ADA, **more: Any) -> Person:
    reply = await api.post(f"{PREFIX}/login", json={**credentials, **more})
    assert reply.status_code == 200, reply.text
    return Person(api, reply.json(), dict(credentials))
