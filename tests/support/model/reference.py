"""Refresh rotation once more, written from its contract and not from the code: no hashes, no keys, no rows.

A token is a name and a generation. Times are whole microseconds, whatever they are counted from. A lifetime of n
seconds is over when n seconds have passed; a window of n seconds is open until more than n have.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

SECOND = 1_000_000

GOOD = ("rotated", "replayed", "displaced")
FINAL = ("ended", "expired", "reused")
CASES = (*GOOD, *FINAL, "reload", "state_lost")
"""What may become of a token with a right tag, of a session that there is."""


class Token(NamedTuple):
    name: str
    generation: int

    def __repr__(self) -> str:
        return f"{self.name}/{self.generation}"


@dataclass(frozen=True, slots=True)
class Reference:
    """One session. `parent` is what the current token was given for; `touched` is the last rotation or replay."""

    window: int
    idle: int
    current: Token
    parent: Token | None
    rotated: int
    touched: int
    idle_until: int
    absolute_until: int | None = None
    ended: str | None = None

    def case(self, token: Token, now: int) -> str:
        """The row of the table that fits."""
        if self.ended is not None:
            return "ended"
        if now >= self.until:
            return "expired"
        if token == self.current:
            return "rotated"
        if token.generation > self.current.generation:
            return "state_lost"
        if self.window == 0:
            return "reused"
        if token == self.parent:
            is_retry = now - self.touched <= self.window and now - self.rotated <= 10 * self.window
            return "replayed" if is_retry else "displaced"
        return "reload" if now - self.rotated <= self.window else "reused"

    def present(self, token: Token, now: int, fresh: Token) -> tuple[str, Token | None, "Reference"]:
        """The case, the token that is given, and the session after it. `fresh` is what a new token will be."""
        case = self.case(token, now)
        if case == "replayed":
            return case, self.current, replace(self, touched=now)
        if case in GOOD:
            moved = replace(self, current=fresh, parent=token, rotated=now, touched=now)
            return case, fresh, replace(moved, idle_until=now + self.idle)
        return case, None, replace(self, ended="token_reused") if case == "reused" else self

    @property
    def until(self) -> int:
        """The end of its life, by whichever limit comes first."""
        return self.idle_until if self.absolute_until is None else min(self.idle_until, self.absolute_until)


def begun(token: Token, now: int, *, window: int, idle: int, absolute: int | None = None) -> Reference:
    """A session as it is after sign-in. `idle` and `absolute` are lifetimes."""
    until = None if absolute is None else now + absolute
    return Reference(window, idle, token, None, now, now, now + idle, until)
