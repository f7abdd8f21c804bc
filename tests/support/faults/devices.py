"""One session, as the device knows it that has it: what was acknowledged, and what must therefore hold."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from tests.support.faults.network import Network, Reply
from tests.support.model.watch import Violation
from tests.support.people import PREFIX, bearer

REFUSED_WITHIN = 1.0
"""Seconds after which no instance may accept an access token of a session whose end was acknowledged (I12)."""

WATCHED = 3.0
"""Seconds in which every instance that answers at all is asked until it refuses."""

NOBODY = "00000000-0000-4000-8000-000000000000"


class State(Enum):
    LIVE = auto()
    LEAVING = auto()
    """Asked to be ended, and not told that it is."""
    ENDED = auto()


@dataclass
class Device:
    """`cookie` as `name=value`, in cookie mode; the refresh token then stands nowhere else."""

    network: Network
    origin: str
    id: str
    access_token: str
    refresh_token: str | None
    cookie: str | None = None
    csrf_token: str = ""
    state: State = State.LIVE
    ended_at: float = 0.0
    """On the monotonic clock, when that was acknowledged."""

    async def refresh(self, *, patience: float | None = None, is_forgotten: bool = False) -> Reply | None:
        """Presents the newest token that was stored. `is_forgotten`: dies before it can store the one that it gets.

        Raises Violation.
        """
        headers, body = self._credentials()
        reply = await self.network.ask("POST", f"{PREFIX}/refresh", headers=headers, json=body, patience=patience)
        if reply is None or reply.is_later:
            return reply
        if reply.status != 200 or reply.clears:
            raise Violation(f"I5, I14, I15: the newest token of session {self.id} was answered {reply}")
        if not is_forgotten:
            self._store(reply)
        return reply

    def _credentials(self) -> tuple[dict[str, str], dict[str, str] | None]:
        if self.cookie is None:
            return {}, {"refresh_token": str(self.refresh_token)}
        return {"Cookie": self.cookie, "Origin": self.origin, "X-CSRF-Token": self.csrf_token}, None

    def _store(self, reply: Reply) -> None:
        self.access_token = reply.body["access_token"]
        if self.cookie is None:
            self.refresh_token = reply.body["refresh_token"]
        elif reply.cookie is None:
            raise Violation(f"I5: a refresh by cookie set none: {reply}")
        else:
            self.cookie = reply.cookie

    async def look(self, *, is_listing: bool) -> Reply | None:
        """By the one statement of `/session`, or through the denylist. Raises Violation."""
        path = f"{PREFIX}/sessions" if is_listing else f"{PREFIX}/session"
        reply = await self.network.ask("GET", path, headers=bearer(self.access_token))
        if reply is None or reply.is_later:
            return reply
        if reply.status != 200 or reply.clears:
            raise Violation(f"I13, I15: a good access token of session {self.id} was answered {reply}")
        return reply

    async def leave(self) -> Reply | None:
        """Raises Violation."""
        self.state = State.LEAVING
        headers, body = self._credentials()
        reply = await self.network.ask("POST", f"{PREFIX}/logout", headers=headers, json=body)
        if reply is None or reply.is_later:
            return reply
        if reply.status != 204:
            raise Violation(f"I10, I15: a logout of session {self.id} was answered {reply}")
        self.ended()
        return reply

    async def dismiss(self, other: "Device") -> Reply | None:
        """Signs another device of the same person out. Raises Violation."""
        other.state = State.LEAVING
        path = f"{PREFIX}/sessions/{other.id}"
        reply = await self.network.ask("DELETE", path, headers=bearer(self.access_token))
        if reply is None or reply.is_later:
            return reply
        if reply.status != 204:
            raise Violation(f"I10, I15: signing session {other.id} out was answered {reply}")
        other.ended()
        return reply

    async def stay_alone(self) -> Reply | None:
        """Signs every other session of the person out. Raises Violation."""
        headers = bearer(self.access_token)
        reply = await self.network.ask("POST", f"{PREFIX}/logout", headers=headers, json={"scope": "others"})
        if reply is None or reply.is_later:
            return reply
        if reply.status != 204:
            raise Violation(f"I10, I15: signing the others of {self.id} out was answered {reply}")
        return reply

    def ended(self) -> None:
        self.state, self.ended_at = State.ENDED, time.monotonic()

    async def haunt(self, url: str | None = None, *, by_denylist: bool = False) -> Reply | None:
        """Presents its access token after its end. Raises Violation where it is accepted later than it may be."""
        method, path = ("DELETE", f"{PREFIX}/sessions/{NOBODY}") if by_denylist else ("GET", f"{PREFIX}/session")
        reply = await self.network.ask(method, path, headers=bearer(self.access_token), url=url)
        if reply is None or reply.is_later:
            return None
        is_accepted = reply.status in (200, 404)
        if reply.status != 401 and not is_accepted:
            raise Violation(f"I15: an access token of an ended session was answered {reply}")
        if is_accepted and reply.sent > self.ended_at + REFUSED_WITHIN:
            since = reply.sent - self.ended_at
            raise Violation(f"I12: session {self.id} is accepted {since:.2f} s after its end: {reply}")
        return reply

    async def return_from_the_dead(self) -> None:
        """Presents its refresh token after its end. Raises Violation."""
        headers, body = self._credentials()
        reply = await self.network.ask("POST", f"{PREFIX}/refresh", headers=headers, json=body)
        if reply is None or reply.is_later:
            return
        if (reply.status, reply.code) != (401, "session_ended"):
            raise Violation(f"I10, I11: a refresh of the ended session {self.id} was answered {reply}")

    async def be_refused(self) -> None:
        """On every instance that answers, within the second. Raises Violation."""
        await asyncio.gather(*(self._refused_by(url) for url in self.network.urls))

    async def _refused_by(self, url: str) -> None:
        until = time.monotonic() + WATCHED
        for by_denylist in (False, True):
            while time.monotonic() < until:
                reply = await self.haunt(url, by_denylist=by_denylist)
                if reply is not None and reply.status == 401:
                    break
                await asyncio.sleep(0.05)


def device_of(network: Network, origin: str, reply: Reply) -> Device:
    """What a sign-in has answered."""
    body: Mapping[str, Any] = reply.body
    return Device(
        network,
        origin,
        body["session_id"],
        body["access_token"],
        body["refresh_token"],
        reply.cookie,
        body.get("csrf_token") or "",
    )
