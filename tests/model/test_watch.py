"""The invariants themselves: each is broken once by a short history, and found."""

import pytest

from tests.support.model.reference import Token
from tests.support.model.watch import Moment, Violation, Watch

A, B, B2, C, C2 = Token("a", 0), Token("b", 1), Token("b2", 1), Token("c", 2), Token("c2", 2)
Event = tuple[Token, str, Token | None, int]

BROKEN: dict[str, list[Event]] = {
    "I1": [(A, "rotated", B, 0), (A, "replayed", B, 1)],
    "I2": [(A, "rotated", B, 0), (A, "displaced", B2, 5)],
    "I3": [(A, "rotated", B, 0), (A, "displaced", B2, 20), (B, "rotated", C, 30), (B2, "rotated", C2, 60)],
    "I4": [(A, "rotated", C, 0), (C, "rotated", B, 1)],
    "I5": [(A, "rotated", B, 0), (A, "reused", None, 500)],
    "I11": [(A, "rotated", B, 0), (B, "rotated", C, 1), (A, "reused", None, 90), (C, "rotated", C2, 91)],
    "I16": [(A, "rotated", B, 1000)],
}


@pytest.mark.parametrize("invariant", BROKEN)
def test_a_broken_invariant_is_found(invariant: str) -> None:
    *before, last = BROKEN[invariant]
    watch = Watch(0 if invariant == "I1" else 10, A, until=1000)
    for presented, case, given, now in before:
        watch.answered(presented, case, given, Moment(now, now))
    presented, case, given, now = last
    with pytest.raises(Violation, match=f"^{invariant}:"):
        watch.answered(presented, case, given, Moment(now, now))


def test_what_may_have_been_in_time_is_not_held_against_anybody() -> None:
    watch = Watch(10, A, until=1000)
    watch.answered(A, "rotated", B, Moment(0, 3))
    watch.answered(A, "displaced", B2, Moment(9, 12))
    watch.answered(B2, "rotated", C, Moment(999, 1001))


def test_an_answer_that_was_lost_is_forgiven_only_while_its_token_is_unused() -> None:
    watch = Watch(10, A, until=1000)
    watch.answered(A, "rotated", B, Moment(0, 0))
    watch.unanswered(B)
    watch.answered(A, "reused", None, Moment(500, 500))
    assert watch.is_over == "reused"
