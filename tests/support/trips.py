"""How often Redis is asked."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from authapi.core.context import Context


def counted(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """As long as the trips from here on are many."""
    trips: list[None] = []
    ask = ctx.redis.ask

    def counting(question: Callable[[Any], Awaitable[Any]]) -> Awaitable[Any]:
        trips.append(None)
        return ask(question)

    monkeypatch.setattr(ctx.redis, "ask", counting)
    return trips
