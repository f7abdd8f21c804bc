"""Work that goes on when it is told to, and waiting for what others do."""

import asyncio
import threading
from collections.abc import Callable


class Gate:
    """Work that is counted, and that ends when it is let through."""

    def __init__(self) -> None:
        self.done = 0
        self.opened = threading.Event()

    def work(self) -> int:
        self.opened.wait(10)
        self.done += 1
        return self.done


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (threads set no asyncio.Event)
            await asyncio.sleep(0.001)
