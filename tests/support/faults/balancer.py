"""A client that does what a balancer does: it asks who is ready, and goes elsewhere where nobody listens."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from tests.support.faults.network import Network, Reply

EVERY = 0.1
"""Seconds between two probes."""

BACK = 30.0
"""Seconds in which an instance that was started must be ready."""


class Balanced(Network):
    """Only a refused connection is tried elsewhere: whatever else goes wrong, nobody knows whether it was done."""

    def __init__(self, urls: Sequence[str], chance: random.Random, *, timeout: float) -> None:
        super().__init__(urls, chance, timeout=timeout, is_behind=False)
        self._ready = set(urls)
        self.failed: list[str] = []

    def any_url(self) -> str:
        return self.chance.choice(sorted(self._ready) or self.urls)

    async def ask(self, method: str, path: str, **more: Any) -> Reply | None:
        before = self.seen.copy()
        reply = await super().ask(method, path, **more)
        if more.get("url") is None and more.get("patience") is None and (reply is None or reply.status >= 500):
            self.failed.append(f"{method} {path}: {reply or ', '.join((self.seen - before).keys())}")
        return reply

    async def _send(
        self, url: str, method: str, path: str, headers: Mapping[str, str] | None, json: Any
    ) -> httpx.Response:
        for one in (url, *(other for other in self.urls if other != url)):
            with suppress(httpx.ConnectError):
                return await super()._send(one, method, path, headers, json)
        return await super()._send(url, method, path, headers, json)

    @asynccontextmanager
    async def probing(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._probe(url)) for url in self.urls]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _probe(self, url: str) -> None:
        """Each time over a new connection."""
        while True:
            if await _is_ready(url):
                self._ready.add(url)
            else:
                self._ready.discard(url)
            await asyncio.sleep(EVERY)

    async def is_back(self, url: str) -> None:
        """Waits until it is seen to be ready."""
        async with asyncio.timeout(BACK):
            while url not in self._ready:  # noqa: ASYNC110
                await asyncio.sleep(EVERY)


async def _is_ready(url: str) -> bool:
    try:
        async with httpx.AsyncClient(base_url=url, timeout=2) as api:
            return (await api.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False
