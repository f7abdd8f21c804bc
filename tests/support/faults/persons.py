"""A person with an account and one device: what they do, and what they must not be told while they do it."""

import asyncio
import random
from collections import Counter, deque
from dataclasses import dataclass, field

from tests.support.faults.devices import Device, State, device_of
from tests.support.faults.network import Network, Reply
from tests.support.model.watch import Violation
from tests.support.people import PASSWORD, PREFIX

LOST = 0.05
"""The share of refreshes whose answer is lost: the client hangs up or dies."""

QUICKEST = 0.03
"""Seconds within which a client hangs up that does so on purpose."""

IN_COOKIES = 0.2
"""The share of people who are in a browser."""

GHOSTS = 300
"""Devices that are remembered after their end."""


@dataclass
class Town:
    """What people share. `origin` is AUTHAPI_PUBLIC_URL."""

    network: Network
    chance: random.Random
    origin: str
    ghosts: deque[Device] = field(default_factory=lambda: deque(maxlen=GHOSTS))
    done: Counter[str] = field(default_factory=Counter)


class Person:
    """Every method that asks the service returns what it answered, None where nothing came, and raises Violation."""

    def __init__(self, town: Town, email: str) -> None:
        self._town, self._chance = town, town.chance
        self.email, self._in_cookies = email, town.chance.random() < IN_COOKIES
        self.device: Device | None = None
        self.leaving: list[Device] = []
        """Devices whose end was asked for, and not acknowledged."""

    async def act(self) -> Reply | None:
        device, fate = self.device, self._chance.random()
        if device is None:
            return await self.enter("login")
        if self.leaving and fate < 0.5:
            return await self.finish(self.leaving[0])
        if fate < 0.6:
            return await self._refresh(device)
        if fate < 0.8:
            self._town.done["looked"] += 1
            return await device.look(is_listing=fate < 0.68)
        if fate < 0.88:
            return await self._haunt()
        if fate < 0.93:
            self.device = None
            self.leaving.append(device)
            return await self.finish(device)
        if fate < 0.98:
            return await self._change(device)
        return await self._stay_alone(device)

    async def enter(self, path: str) -> Reply | None:
        """By `signup` or `login`. Who has another device then leaves it."""
        headers = {"Origin": self._town.origin, "X-Auth-Mode": "cookie"} if self._in_cookies else {}
        body = {"email": self.email, "password": PASSWORD}
        reply = await self._town.network.ask("POST", f"{PREFIX}/{path}", headers=headers, json=body)
        if reply is not None and reply.status in (200, 201):
            self.leaving += [self.device] if self.device else []
            self.device = device_of(self._town.network, self._town.origin, reply)
            self._town.done["signed in"] += 1
        elif path == "signup" and reply is not None and reply.status == 409:  # the first time nobody heard of it
            return await self.enter("login")
        elif reply is not None and not reply.is_later:
            raise Violation(f"I15: good credentials were answered {reply}")
        return reply

    async def finish(self, device: Device) -> Reply | None:
        reply = await device.leave()
        await self._bury()
        return reply

    async def _refresh(self, device: Device) -> Reply | None:
        fate = self._chance.random()
        patience = self._chance.random() * QUICKEST if fate < LOST / 2 else None
        reply = await device.refresh(patience=patience, is_forgotten=LOST / 2 < fate < LOST)
        if reply is None:
            self._town.done["refresh unanswered"] += 1
        elif reply.is_success:
            self._town.done[str(reply.body["rotation"])] += 1
        return reply

    async def _haunt(self) -> Reply | None:
        if not self._town.ghosts:
            return None
        ghost, fate = self._chance.choice(self._town.ghosts), self._chance.random()
        self._town.done["haunted"] += 1
        if fate < 0.4:
            await ghost.return_from_the_dead()
            return None
        return await ghost.haunt(by_denylist=fate < 0.7)

    async def _change(self, device: Device) -> Reply | None:
        """Signs in on another device, and the first one out from there."""
        reply = await self.enter("login")
        if self.device is device or self.device is None:
            return reply
        reply = await self.device.dismiss(device)
        await self._bury()
        return reply

    async def _stay_alone(self, device: Device) -> Reply | None:
        reply = await device.stay_alone()
        if reply is not None and reply.is_success:
            for other in self.leaving:
                other.ended()
            await self._bury()
        return reply

    async def _bury(self) -> None:
        dead = [device for device in self.leaving if device.state is State.ENDED]
        self.leaving = [device for device in self.leaving if device.state is not State.ENDED]
        self._town.ghosts.extend(dead)
        self._town.done["signed out"] += len(dead)
        await asyncio.gather(*(each.be_refused() for each in dead))
