"""Honest clients that do what the contract tells them, on networks and devices as they are."""

import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.support.model.services import Answer, Service
from tests.support.model.timeline import DAY, Timeline

LIFETIME = 900.0
"""Of an access token, in seconds."""

EARLY = 180.0
"""Seconds before that in which clients refresh."""

SLOWEST = 4.0
"""Seconds that one way of a request takes at most; a client that waits longer has given up and asked again."""

SPREAD = 4.0
"""Seconds over which tabs with one store spread their refreshes, as `refresh_in` does."""

LONGEST_SLEEP = 6 * DAY
"""A day less than the session stays."""


class LoggedOut(AssertionError):
    """An honest client was told to sign in again."""


@dataclass
class Store:
    """Where a client keeps its refresh token. `fresh_until` is when its access token wants to be replaced."""

    token: str
    fresh_until: float = 0.0


class World:
    def __init__(self, service: Service, seed: int, *, days: float, loss: float) -> None:
        self.service, self.loss, self.end = service, loss, days * DAY
        self.chance = random.Random(seed)  # noqa: S311
        self.time = Timeline()
        self.seen: Counter[str] = Counter()

    @property
    def goes_on(self) -> bool:
        return self.time.now < self.end

    async def ask(self, token: str) -> Answer | None:
        """One refresh over the network; None where the answer was lost."""
        await self.time.sleep(self._latency())
        answer = await self.service.refresh(token, self.time.now)
        self.seen[answer.case] += 1
        if answer.token is None and answer.case != "reload":
            raise LoggedOut(f"{answer.case} on day {self.time.now / DAY:.3f}, after {dict(self.seen)}")
        await self.time.sleep(self._latency())
        if self.chance.random() < self.loss:
            self.seen["lost"] += 1
            return None
        return answer

    def keep(self, store: Store, answer: Answer | None) -> bool:
        if answer is None or answer.token is None:
            return False
        store.token, store.fresh_until = answer.token, self.time.now + LIFETIME - EARLY
        return True

    def _latency(self) -> float:
        return min(SLOWEST, self.chance.expovariate(3))


async def mobile(world: World) -> None:
    """An app on a phone: used for minutes, asleep for hours, killed while it waits; with one refresh in flight."""
    store = Store(await world.service.begin(0))
    while world.goes_on:
        rest_of_use = world.chance.expovariate(1 / 600)
        while rest_of_use > 0:
            wait, killed = 1.0, False
            while world.time.now >= store.fresh_until and not killed:
                if not world.keep(store, await world.ask(store.token)):
                    killed = world.chance.random() < 0.3
                    await world.time.sleep(wait * (1 + world.chance.random()))
                    wait *= 2
            pause = 0 if killed else min(rest_of_use, LIFETIME - EARLY)
            rest_of_use = 0 if killed else rest_of_use - pause
            await world.time.sleep(pause)
        await world.time.sleep(min(LONGEST_SLEEP, world.chance.expovariate(1 / (5 * 3600))))


async def tabs(world: World, *, overwrite: bool = False) -> None:
    """Four tabs with one store and no lock, on a laptop that is open for some hours a day.

    A tab leaves the store alone if it holds another token by then than the one presented, unless they `overwrite`.
    """
    store = Store(await world.service.begin(0))
    while world.goes_on:
        closes = world.time.now + world.chance.uniform(0.2, 2) * 3600
        await world.time.at_once(*(_tab(world, store, closes, overwrite) for _ in range(4)))
        await world.time.sleep(world.chance.uniform(2, 20) * 3600)


async def _tab(world: World, store: Store, closes: float, overwrite: bool) -> None:
    await world.time.sleep(world.chance.uniform(0, SPREAD))
    has_none = True  # access tokens are kept in memory, so a page that opens has none
    while world.time.now < closes:
        if has_none or world.time.now >= store.fresh_until:
            has_none = False
            presented = store.token
            answer = await world.ask(presented)
            is_late = store.token != presented and not overwrite
            if not is_late and not world.keep(store, answer):
                await world.time.sleep(1 + world.chance.random())
        else:
            await world.time.sleep(store.fresh_until - world.time.now + world.chance.uniform(0, SPREAD))


async def careless_tabs(world: World) -> None:
    await tabs(world, overwrite=True)


async def renders(world: World) -> None:
    """Pages made on a server: six parts refresh with one cookie at once, and a third of what they set is dropped."""
    jar = Store(await world.service.begin(0))
    while world.goes_on:
        for _ in range(world.chance.randint(1, 4)):
            if world.time.now >= jar.fresh_until:
                await world.time.at_once(*(_part(world, jar, jar.token) for _ in range(6)))
            await world.time.sleep(world.chance.expovariate(1 / 400))
        await world.time.sleep(min(LONGEST_SLEEP, world.chance.expovariate(1 / (14 * 3600))))


async def _part(world: World, jar: Store, token: str) -> None:
    answer = await world.ask(token)
    if world.chance.random() > 1 / 3:
        world.keep(jar, answer)


Client = Callable[[World], Coroutine[Any, Any, None]]

LOSS: dict[Client, float] = {mobile: 0.05, tabs: 0.01, careless_tabs: 0.01, renders: 0.01}
"""The share of answers that each loses."""


async def simulate(service: Service, client: Client, *, seed: int, days: float) -> Counter[str]:
    """How often each case was met. Raises LoggedOut."""
    world = World(service, seed, days=days, loss=LOSS[client])
    await world.time.run(client(world))
    return world.seen
