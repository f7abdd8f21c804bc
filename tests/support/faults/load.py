"""People who use the service over HTTP while parts of it fail, and who notice whatever it gets wrong.

    load = Load(urls, users=50, seed=1)
    await load.begin()
    async with load.running():
        ...  # let something fail
        await load.recover(within=5)
    await load.settle()
    await load.close()
    assert load.violations == []

They log in, refresh (and sometimes lose the answer), look at their session, log out, change the device, sign the others
out. Nobody presents anything but what they were given, so nobody may be told that it is bad (I5, I14, I15); and what
was acknowledged to have ended, nobody may use again (I10, I12).
"""

import asyncio
import math
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from tests.support.faults.devices import Device
from tests.support.faults.network import Network, Reply
from tests.support.faults.persons import Person, Town
from tests.support.model.watch import Violation

T = TypeVar("T")

Rows = Callable[[str], Awaitable[Sequence[Any]]]
"""Runs a statement in the service's database."""

AWAITED = 60.0
"""Seconds in which everybody must get on with it, once all parts work."""

AT_ONCE = 8

HAUNTING = 60
"""Of those that have ended, how many are tried once more at the end: the latest."""

GOOD_ROUNDS = 3
"""One after the other, until an instance counts as well again."""

JUDGED = """SELECT id::text, end_reason FROM sessions
             WHERE end_reason IS NOT NULL AND end_reason NOT IN ('logout', 'ended_elsewhere')"""


class Load:
    """`pause` is how many seconds people wait between two calls on average, `timeout` after how many they hang up;
    `origin` is AUTHAPI_PUBLIC_URL. With `is_behind` there is a balancer at the URLs, whose own answers are none.

    All violations of the invariants are kept in `violations`; what was answered is counted in `network.seen`, and what
    people did in `town.done`.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        users: int,
        seed: int,
        pause: float = 1.0,
        timeout: float = 5.0,
        origin: str = "http://127.0.0.1:8000",
        is_behind: bool = False,
        network: Network | None = None,
    ) -> None:
        chance = random.Random(seed)  # noqa: S311
        self.network = network or Network(urls, chance, timeout=timeout, is_behind=is_behind)
        self.town = Town(self.network, chance, origin)
        crowd = secrets.token_hex(4)  # nobody else's accounts
        self.people = [Person(self.town, f"p{number}-{crowd}@example.com") for number in range(users)]
        self.violations: list[str] = []
        self._pause, self._seed, self._is_behind = pause, seed, is_behind
        self._began = time.monotonic()
        self._over = asyncio.Event()

    async def begin(self) -> None:
        """Everybody signs up, a few at a time."""
        await self._for_each(self.people, lambda person: self._patiently(lambda: person.enter("signup")))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everybody is at it until the block ends."""
        self._over.clear()
        tasks = [asyncio.create_task(self._live(person)) for person in self.people]
        try:
            yield
        finally:
            self._over.set()
            await asyncio.gather(*tasks)

    async def recover(self, *, within: float) -> float:
        """After a fault: how many seconds it took until every instance did everything again.

        More than `within` is a violation.
        """
        took = max(await asyncio.gather(*(self._recovered(url) for url in self.network.urls)))
        if took > within:
            self.note(f"I15: {took:.1f} s after the fault not everything worked again, and the bar is {within} s")
        return took

    async def settle(self, rows: Rows | None = None) -> None:
        """When all parts work again and nobody is at it: everybody still has what was acknowledged to them."""
        await self._for_each(self.people, self._settled)
        ghosts = list(self.town.ghosts)[-HAUNTING:]
        await self._for_each(ghosts, lambda ghost: self._watched(_laid(ghost)))
        for row in await rows(JUDGED) if rows is not None else ():
            self.note(f"I6, I14: session {row[0]} was ended for {row[1]}, and nobody did that")

    def note(self, violation: str) -> None:
        self.violations.append(f"{time.monotonic() - self._began:8.2f} s, seed {self._seed}: {violation}")

    def summary(self) -> str:
        seconds, asked = time.monotonic() - self._began, self.network.seen.total()
        counted = ", ".join(f"{name} {count}" for name, count in sorted(self.town.done.items()))
        people, wrong = len(self.people), len(self.violations)
        return f"{people} people, {seconds:.0f} s, {asked} requests ({counted}), {wrong} violations"

    async def close(self) -> None:
        await self.network.close()

    async def _for_each(self, those: Sequence[T], do: Callable[[T], Awaitable[object]]) -> None:
        """A few at a time."""
        few = asyncio.Semaphore(AT_ONCE)

        async def turn(one: T) -> None:
            async with few:
                await do(one)

        await asyncio.gather(*(turn(one) for one in those))

    async def _live(self, person: Person) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), self.town.chance.expovariate(1 / self._pause))
                return
            reply = await self._watched(person.act())
            if reply is not None and reply.is_later:
                self.town.done["told to wait"] += 1
                await asyncio.sleep(min(2, int(reply.headers["retry-after"])) * (0.5 + self.town.chance.random()))

    async def _watched(self, deed: Awaitable[Reply | None]) -> Reply | None:
        try:
            return await deed
        except Violation as violation:
            self.note(str(violation))
            return None

    async def _recovered(self, url: str) -> float:
        """By an account that nobody else uses."""
        began = time.monotonic()
        network = Network([url], self.town.chance, timeout=5, is_behind=self._is_behind)
        name = f"probe-{secrets.token_hex(8)}@example.com"
        person = Person(Town(network, self.town.chance, self.town.origin), name)
        good, took = 0, 0.0
        while good < GOOD_ROUNDS and time.monotonic() - began < AWAITED:
            good = good + 1 if await self._goes_well(person) else 0
            took = time.monotonic() - began if good < 2 else took
            await asyncio.sleep(0.05)
        await network.close()
        return took if good == GOOD_ROUNDS else math.inf

    async def _goes_well(self, person: Person) -> bool:
        if person.device is None:
            await self._watched(person.enter("signup"))
        if person.device is None:
            return False
        looks = [person.device.look(is_listing=is_listing) for is_listing in (False, True)]
        replies = [await self._watched(deed) for deed in (person.device.refresh(), *looks)]
        return all(reply is not None and reply.is_success for reply in replies)

    async def _settled(self, person: Person) -> None:
        if person.device is not None:
            await self._patiently(person.device.refresh)
        while person.leaving and await self._patiently(lambda: person.finish(person.leaving[0])):
            pass

    async def _patiently(self, deed: Callable[[], Awaitable[Reply | None]]) -> bool:
        """Until it succeeds, as everything must when all parts work."""
        until, before = time.monotonic() + AWAITED, len(self.violations)
        while time.monotonic() < until:
            reply = await self._watched(deed())
            if reply is not None and reply.is_success:
                return True
            if len(self.violations) > before:
                return False
            await asyncio.sleep(0.1)
        self.note(f"I15: not done within {AWAITED} s, although all parts worked")
        return False


async def _laid(ghost: Device) -> None:
    """Once more, nobody accepts it."""
    await ghost.return_from_the_dead()
    await ghost.be_refused()
