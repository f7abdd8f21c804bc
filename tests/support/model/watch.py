"""What must hold of a session's history whatever the rules are: the invariants, as its clients can see them."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tests.support.model.reference import FINAL, GOOD, Token


class Violation(AssertionError):
    """An invariant does not hold. The message begins with its number."""


class Moment(NamedTuple):
    """When something happened, as far as it is known: not before and not after."""

    early: int
    late: int


@dataclass
class Watch:
    """`until` is when the session expires at the latest: who tells of an answer moves it on first."""

    window: int
    newest: Token
    until: int
    is_over: str | None = None
    _used: set[str] = field(default_factory=set)
    _given: dict[str, tuple[Token, Moment, Moment]] = field(default_factory=dict)
    """What was given for a token, when that was first given, and when last."""
    _parents: dict[str, str] = field(default_factory=dict)
    _heirs: dict[str, str] = field(default_factory=dict)
    """Of the successors of a token the one that was accepted."""

    def answered(self, presented: Token, case: str, given: Token | None, at: Moment) -> None:
        """Raises Violation."""
        if self.is_over is not None and case not in ("ended", "expired"):
            raise Violation(f"I11: {case} after it was {self.is_over}")
        if given is None:
            self._refused(presented, case, at)
        else:
            self._accepted(presented, case, given, at)

    def unanswered(self, presented: Token) -> None:
        """It was accepted, but nobody was told."""
        self._used.add(presented.name)
        self._inherits(presented)

    def ended(self) -> None:
        """Somebody ended it, and was told so."""
        self.is_over = "ended"

    def _refused(self, presented: Token, case: str, at: Moment) -> None:
        if case in GOOD:
            raise Violation(f"I5: {case}, and no token")
        is_lost = self._parents.get(self.newest.name) == presented.name and self.newest.name not in self._used
        if is_lost and self.window and self.is_over is None and at.late < self.until:
            raise Violation(f"I5: the answer was lost, and its retry is {case}")
        if case in FINAL:
            self.is_over = case

    def _accepted(self, presented: Token, case: str, given: Token, at: Moment) -> None:
        if case not in GOOD:
            raise Violation(f"I5: {case}, and yet a token")
        if at.early >= self.until:
            raise Violation(f"I16: {case} after it had expired")
        if given.generation < self.newest.generation:
            raise Violation(f"I4: generation {given.generation} after {self.newest.generation}")
        if presented.name in self._used and not self.window:
            raise Violation("I1: a token worked twice, and there is no window")
        self._same_successor(presented, given, at)
        self._inherits(presented)
        self._used.add(presented.name)
        self._parents[given.name] = presented.name
        self.newest = given

    def _inherits(self, presented: Token) -> None:
        parent = self._parents.get(presented.name)
        if parent is not None and self._heirs.setdefault(parent, presented.name) != presented.name:
            raise Violation("I3: two successors of one token were accepted")

    def _same_successor(self, presented: Token, given: Token, at: Moment) -> None:
        before, first, last = self._given.get(presented.name, (given, at, at))
        is_inside = at.late - last.early <= self.window and at.late - first.early <= 10 * self.window
        if is_inside and before != given:
            raise Violation("I2: two answers to one token inside its window carry different successors")
        self._given[presented.name] = (given, first if before == given else at, at)
