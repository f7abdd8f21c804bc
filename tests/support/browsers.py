"""A page in a browser: what a script may set, what the browser adds, and the jar in which cookies rest."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from authapi.app import create_app
from authapi.core.context import Context
from authapi.core.settings import DAY
from tests.support.people import ADA, PREFIX

SERVICE = "https://auth.example.com"
PAGE = "https://app.example.com"
COOKIE = "__Host-authapi_rt"
DEVICE = "__Host-authapi_device"
IN_PRODUCTION: dict[str, Any] = {"env": "production", "public_url": SERVICE, "allowed_origins": (PAGE,)}
ALWAYS = {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"}
WEEK = f"Max-Age={7 * DAY}"
AS_COOKIE = {"X-Auth-Mode": "cookie"}


def open_browser(ctx: Context, url: str = SERVICE) -> httpx.AsyncClient:
    """With a jar of its own, which sends and keeps cookies as RFC 6265 says."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(ctx)), base_url=url)


@dataclass
class Page:
    """Somebody signed in in a browser. What a page knows is lost when it is loaded anew; the jar stays."""

    browser: httpx.AsyncClient
    known: dict[str, Any] = field(default_factory=dict)
    origin: str = PAGE

    @property
    def csrf_token(self) -> str:
        return str(self.known["csrf_token"])

    @property
    def cookie(self) -> str | None:
        return self.browser.cookies.get(COOKIE)

    def headers(self) -> dict[str, str]:
        return {"Origin": self.origin, "X-CSRF-Token": self.csrf_token}

    async def enter(self, name: str, **more: Any) -> httpx.Response:
        """`name` is `signup` or `login`."""
        headers = {"Origin": self.origin, **AS_COOKIE}
        reply = await self.browser.post(f"{PREFIX}/{name}", json={**ADA, **more}, headers=headers)
        assert reply.is_success, reply.text
        self.known = reply.json()
        return reply

    async def refresh(self) -> httpx.Response:
        reply = await self.browser.post(f"{PREFIX}/refresh", headers=self.headers())
        if reply.status_code == 200:
            self.known = reply.json()
        return reply

    async def log_out(self, **body: str) -> httpx.Response:
        return await self.browser.post(f"{PREFIX}/logout", json=body or None, headers=self.headers())

    async def ask_csrf(self, **headers: str) -> httpx.Response:
        return await self.browser.get(f"{PREFIX}/csrf", headers={"Origin": self.origin, **headers})


def set_cookie(reply: httpx.Response, name: str = COOKIE) -> set[str]:
    """The attributes of the one cookie of that name which an answer sets; its value is left out."""
    (line,) = [each for each in reply.headers.get_list("set-cookie") if each.startswith(f"{name}=")]
    return set(line.split("; ")[1:])


def sets_none(reply: httpx.Response) -> bool:
    return "set-cookie" not in reply.headers
