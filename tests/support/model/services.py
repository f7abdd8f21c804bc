"""What simulated clients talk to, in virtual time: the decision alone, or the application with its database."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

import httpx

from authapi.core.context import Context
from tests.support.model.decision import Decided
from tests.support.model.reference import SECOND
from tests.support.outside import MovedClock
from tests.support.people import ADA, PREFIX, sign_up


class Answer(NamedTuple):
    """`case` is a row of the contract's table."""

    case: str
    token: str | None


class Service(Protocol):
    """One session at a time."""

    async def begin(self, now: float) -> str: ...
    async def refresh(self, token: str, now: float) -> Answer: ...


class Decision:
    """Through both instances in turn."""

    def __init__(self, instances: Sequence[Context]) -> None:
        self._instances = instances
        self._turn = 0

    async def begin(self, now: float) -> str:
        self._session = Decided(self._instances, int(now * SECOND), absolute=None)
        return self._session.first.name

    async def refresh(self, token: str, now: float) -> Answer:
        self._turn += 1
        case, given = self._session.refresh(token, int(now * SECOND), self._turn % len(self._instances))
        return Answer(case, given.name if given else None)


class Application:
    """The clock is set to the virtual time before each request."""

    def __init__(self, api: httpx.AsyncClient, clock: MovedClock) -> None:
        self._api, self._clock = api, clock
        self._start = time.monotonic()
        self._known = False

    async def begin(self, now: float) -> str:
        self._set(now)
        if not self._known:
            self._known = True
            return (await sign_up(self._api)).refresh_token
        reply = await self._api.post(f"{PREFIX}/login", json=ADA)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["refresh_token"])

    async def refresh(self, token: str, now: float) -> Answer:
        self._set(now)
        reply = await self._api.post(f"{PREFIX}/refresh", json={"refresh_token": token})
        body = reply.json()
        if reply.status_code == 200:
            return Answer(body["rotation"], body["refresh_token"])
        return Answer({"reload_tokens": "reload", "token_reused": "reused"}.get(body["code"], body["code"]), None)

    def _set(self, now: float) -> None:
        self._clock.offset = timedelta(seconds=now - (time.monotonic() - self._start))
