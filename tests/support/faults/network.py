"""The ways from people to the instances of the service, and what an answer may be while a part of it fails."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

ACTIONS = {503: ("retry",), 429: ("wait",), 409: ("reload_tokens",)}
"""What a client may be told instead of a success, and to do: nothing that makes it forget its tokens (I15)."""

CLEARED = "Max-Age=0"


@dataclass(frozen=True, slots=True)
class Reply:
    """`sent` is on the monotonic clock."""

    status: int
    body: Any
    headers: httpx.Headers
    sent: float
    url: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_later(self) -> bool:
        """A refusal that says nothing of the credentials, and is whole."""
        return (
            self.status in ACTIONS
            and isinstance(self.body, dict)
            and self.body.get("action") in ACTIONS[self.status]
            and self.headers.get("retry-after", "").isdigit()
            and int(self.headers["retry-after"]) >= 1
            and not self.clears
        )

    @property
    def code(self) -> str | None:
        """Of a problem."""
        return self.body.get("code") if isinstance(self.body, dict) else None

    @property
    def clears(self) -> bool:
        """Whether a browser forgets its session."""
        return any("authapi_rt=;" in line or CLEARED in line for line in self.headers.get_list("set-cookie"))

    @property
    def cookie(self) -> str | None:
        """`name=value` of the refresh token, if one is set."""
        lines = self.headers.get_list("set-cookie")
        return next((line.partition(";")[0] for line in lines if "authapi_rt=" in line), None)

    def __str__(self) -> str:
        """Without tokens."""
        said = sorted(self.body) if self.is_success and isinstance(self.body, dict) else self.body
        later, clears = self.headers.get("retry-after"), ", clears the cookie" if self.clears else ""
        return f"{self.status} {said}, Retry-After {later}{clears}, from {self.url}"


class Network:
    """`is_behind`: there is a balancer in front, whose own answers (those without `X-Request-ID`) are none."""

    def __init__(self, urls: Sequence[str], chance: random.Random, *, timeout: float, is_behind: bool) -> None:
        """`timeout` in seconds: after it a client hangs up."""
        self.urls, self.chance, self._is_behind = list(urls), chance, is_behind
        self.seen: Counter[str] = Counter()
        limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
        self._clients = {
            url: httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits, cookies=_no_cookies()) for url in urls
        }

    def any_url(self) -> str:
        return self.chance.choice(self.urls)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        url: str | None = None,
        patience: float | None = None,
    ) -> Reply | None:
        """None where no answer came, also because it was not waited for longer than `patience` (seconds)."""
        url = url or self.any_url()
        sent = time.monotonic()
        try:
            async with asyncio.timeout(patience):
                reply = await self._send(url, method, path, headers, json)
        except (httpx.TransportError, TimeoutError) as error:
            self._count(method, path, "hung up" if patience else type(error).__name__)
            return None
        if self._is_behind and "x-request-id" not in reply.headers:
            self._count(method, path, f"balancer {reply.status_code}")
            return None
        is_json = "json" in reply.headers.get("content-type", "")
        heard = Reply(reply.status_code, reply.json() if is_json else None, reply.headers, sent, url)
        self._count(method, path, f"{heard.status} {heard.code}" if heard.status >= 500 else str(heard.status))
        return heard

    async def _send(
        self, url: str, method: str, path: str, headers: Mapping[str, str] | None, json: Any
    ) -> httpx.Response:
        return await self._clients[url].request(method, path, headers=headers, json=json)

    def _count(self, method: str, path: str, outcome: str) -> None:
        name = "/".join(part for part in path.split("/")[3:] if len(part) < 36)
        self.seen[f"{method} {name or path}: {outcome}"] += 1

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()


def _no_cookies() -> CookieJar:
    """Each device sends its own."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))
