"""Requests that ran at the same time must have done what they would have done one after the other, in some order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.support.model.reference import GOOD, Reference, Token
from tests.support.model.watch import Moment

LOGOUT = "logout"


@dataclass(frozen=True, slots=True)
class Request:
    """A refresh, or without a token a logout. `case` is None where no answer came: it may have been done or not."""

    token: Token | None
    case: str | None
    given: Token | None = None

    def __repr__(self) -> str:
        return f"{self.token or 'logout'} → {self.case or 'no answer'} {self.given or ''}".strip()


def explain(
    before: Reference, requests: Sequence[Request], at: Moment, stored: Token, fits: Callable[[Reference], bool]
) -> tuple[Reference, list[Request]] | None:
    """An order in which the reference gives the same answers and ends in a state that fits, or None.

    `stored` is the current token as the database has it: what a refresh without an answer may have made.
    """
    if all(request.case is None for request in requests) and fits(before):
        return before, []
    for number, request in enumerate(requests):
        for now in sorted({at.early, at.late}):
            after = _done(before, request, now, stored)
            rest = [*requests[:number], *requests[number + 1 :]]
            found = None if after is None else explain(after, rest, at, stored, fits)
            if found is not None:
                return found[0], [request, *found[1]]
    return None


def _done(before: Reference, request: Request, now: int, stored: Token) -> Reference | None:
    """The state after it, or None where the reference would have answered otherwise."""
    if request.token is None:
        return before if before.ended is not None else replace(before, ended=LOGOUT)
    fresh = stored if request.case is None else request.given or request.token
    case, given, after = before.present(request.token, now, fresh)
    if request.case is None:
        return after if case in GOOD else None
    return after if (case, given) == (request.case, request.given) else None
