"""`authapi`, but with a flaw that the people in `load` must notice: `… flawed unpublished-ends serve --port 8000`."""

import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from authapi import cli
from authapi.core.problems import Unavailable
from authapi.sessions import denylist, ending, store
from authapi.sessions.errors import InvalidToken

EVERY = 5
"""Every so manieth refresh."""

_refreshes = itertools.count(1)
_rotate = store.rotate


async def _nothing(*_: Any, **__: Any) -> None: ...


def _unpublished_ends() -> None:
    denylist.publish = _nothing


def _ended_sessions_seen() -> None:
    for text in ("one", "many"):
        setattr(store._VIEW, text, getattr(store._VIEW, text).replace("s.ended_at IS NULL AND", ""))


def _logout_that_ends_nothing() -> None:
    ending.log_out = _nothing


def _rotation_not_stored() -> None:
    """What the client is given is not what the row has, as if the commit had been lost."""

    async def rotate(driver: Any, clock: Any, presented: Any, successor: Any, *rest: Any) -> Any:
        return await _rotate(driver, clock, presented, replace(successor, hash=bytes(32)), *rest)

    store.rotate = rotate  # type: ignore[assignment]


def _failing_with(error: Callable[[], Exception]) -> Callable[[], None]:
    def plant() -> None:
        async def rotate(*arguments: Any) -> Any:
            if next(_refreshes) % EVERY == 0:
                raise error()
            return await _rotate(*arguments)

        store.rotate = rotate  # type: ignore[assignment]

    return plant


def _without_a_time() -> Exception:
    error = Unavailable()
    error.retry_after = None
    del error.headers["Retry-After"]
    return error


FLAWS: Mapping[str, tuple[Callable[[], None], str]] = {
    "unpublished-ends": (_unpublished_ends, "I12"),
    "ended-sessions-seen": (_ended_sessions_seen, "I12"),
    "logout-that-ends-nothing": (_logout_that_ends_nothing, "I10"),
    "rotation-not-stored": (_rotation_not_stored, "I5"),
    "failure-blamed-on-the-token": (_failing_with(InvalidToken), "I15"),
    "failure-without-a-time-to-come-back": (_failing_with(_without_a_time), "I15"),
}
"""How each is planted, and the invariant that it breaks."""

if __name__ == "__main__":
    FLAWS[sys.argv.pop(1)][0]()
    cli.main()
