"""Virtual time: everybody sleeps, and whoever is due first is woken. Days pass as fast as there is work to do."""

import asyncio
from collections.abc import Coroutine
from heapq import heappop, heappush
from itertools import count
from typing import Any

DAY = 86_400.0


class Timeline:
    """`now` is in seconds. One task runs at a time, so the same chances lead to the same day."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, asyncio.Event]] = []
        self._order = count()
        self._busy = 0
        self._idle = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heappush(self._due, (self.now + seconds, next(self._order), woken))
        await self._waiting(woken)

    async def at_once(self, *deeds: Coroutine[Any, Any, None]) -> None:
        """Does them side by side and returns when all are done. Raises what the first of them raised."""
        done, open_deeds = asyncio.Event(), len(deeds)

        async def do(deed: Coroutine[Any, Any, None]) -> None:
            nonlocal open_deeds
            try:
                await deed
            finally:
                open_deeds -= 1
                if open_deeds == 0:
                    self._busy += 1  # whoever waits goes on
                    done.set()
                self._rest()

        self._busy += len(deeds)
        tasks = [asyncio.create_task(do(deed)) for deed in deeds]
        await self._waiting(done)
        await asyncio.gather(*tasks)

    async def run(self, deed: Coroutine[Any, Any, None]) -> None:
        """Until it is done. Raises what it raises."""
        self._busy = 1
        task = asyncio.create_task(deed)
        task.add_done_callback(lambda _: self._idle.set())
        while True:
            await self._idle.wait()
            if task.done():
                return task.result()
            self._idle.clear()
            self.now, _, woken = heappop(self._due)
            self._busy += 1
            woken.set()

    async def _waiting(self, event: asyncio.Event) -> None:
        """Lets the time go on while it waits; whoever sets the event has counted it as busy again."""
        self._rest()
        await event.wait()

    def _rest(self) -> None:
        self._busy -= 1
        if self._busy == 0:
            self._idle.set()
