"""The decision what a presented refresh token means, row by row, and the form of the token."""

import base64
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from authapi.sessions import rotation
from authapi.sessions.rotation import RefreshToken, State, Verdict

KEYS = {7: b"k" * 32, 9: b"e" * 32}
SESSION = UUID("01980c3e-7d50-7c3e-9a54-3b7a1f0c2d11")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
W = timedelta(seconds=10)
SALT = b"s" * 16


def token(generation: int, random: bytes = b"r" * 32) -> RefreshToken:
    return rotation.mint(KEYS, SESSION, generation, random)


PARENT = token(4)
CURRENT = rotation.successor(KEYS, PARENT, SALT, 5)
STATE = State(
    generation=5,
    token_hash=CURRENT.hash,
    salt=SALT,
    rotated_at=NOW,
    replayed_at=None,
    idle_expires_at=NOW + timedelta(days=7),
    absolute_expires_at=None,
    ended_at=None,
    now=NOW,
)


def judge(presented: RefreshToken, *, window: timedelta = W, **changes: Any) -> Verdict:
    state = replace(STATE, **changes)
    parent = rotation.child(KEYS, presented, state) is not None
    return rotation.decide(state, presented, is_parent=parent, window=window)


def later(**by: float) -> dict[str, Any]:
    return {"now": NOW + timedelta(**by)}


def test_the_current_token_rotates_whenever_it_comes() -> None:
    assert judge(CURRENT) is Verdict.ROTATED
    assert judge(CURRENT, **later(days=6, hours=23)) is Verdict.ROTATED
    assert judge(CURRENT, window=timedelta(0)) is Verdict.ROTATED


def test_the_parent_gets_the_same_successor_within_the_window_and_exactly_at_its_end() -> None:
    assert judge(PARENT) is Verdict.REPLAYED
    assert judge(PARENT, **later(seconds=10)) is Verdict.REPLAYED
    assert judge(PARENT, **later(seconds=10, microseconds=1)) is Verdict.DISPLACED
    assert rotation.child(KEYS, PARENT, STATE) == CURRENT


def test_each_replay_opens_the_window_again_but_ten_windows_after_the_rotation_it_is_over() -> None:
    assert judge(PARENT, replayed_at=NOW + timedelta(seconds=9), **later(seconds=19)) is Verdict.REPLAYED
    assert judge(PARENT, replayed_at=NOW + timedelta(seconds=9), **later(seconds=20)) is Verdict.DISPLACED
    assert judge(PARENT, replayed_at=NOW + timedelta(seconds=95), **later(seconds=100)) is Verdict.REPLAYED
    assert judge(PARENT, replayed_at=NOW + timedelta(seconds=95), **later(seconds=101)) is Verdict.DISPLACED


def test_the_parent_of_a_successor_that_nobody_used_is_good_until_the_session_expires() -> None:
    assert judge(PARENT, **later(days=6)) is Verdict.DISPLACED


def test_an_older_token_is_a_slow_tab_just_after_a_rotation_and_reuse_later() -> None:
    assert judge(token(3)) is Verdict.RELOAD
    assert judge(token(3), **later(seconds=10)) is Verdict.RELOAD
    assert judge(token(3), **later(seconds=10, microseconds=1)) is Verdict.REUSED


def test_a_sibling_that_was_displaced_is_no_parent() -> None:
    sibling = rotation.successor(KEYS, PARENT, b"t" * 16, 5)
    assert judge(sibling) is Verdict.RELOAD
    assert judge(sibling, **later(minutes=1)) is Verdict.REUSED


def test_without_a_window_anything_but_the_current_token_is_reuse() -> None:
    for presented in (PARENT, token(3), token(0)):
        assert judge(presented, window=timedelta(0)) is Verdict.REUSED


def test_a_token_that_is_ahead_of_the_row_means_lost_state_and_not_theft() -> None:
    assert judge(token(6)) is Verdict.STATE_LOST
    assert judge(token(6), window=timedelta(0)) is Verdict.STATE_LOST


def test_ended_comes_before_expired_and_both_before_everything_else() -> None:
    for presented in (CURRENT, PARENT, token(3), token(6)):
        assert judge(presented, ended_at=NOW, **later(days=8)) is Verdict.ENDED
        assert judge(presented, **later(days=7)) is Verdict.EXPIRED
        assert judge(presented, absolute_expires_at=NOW + timedelta(hours=1), **later(hours=1)) is Verdict.EXPIRED
    assert judge(CURRENT, **later(days=6, hours=23, minutes=59)) is Verdict.ROTATED


def test_a_successor_made_under_an_earlier_secret_is_still_recognised() -> None:
    rotated = {3: b"n" * 32, **KEYS}
    assert rotation.child(rotated, PARENT, STATE) == CURRENT


def test_a_token_survives_being_written_and_read() -> None:
    text = CURRENT.text()
    assert rotation.read(KEYS, text) == CURRENT
    assert (CURRENT.session_id, CURRENT.generation, len(text)) == (SESSION, 5, rotation.LENGTH)
    assert text not in repr(CURRENT)


def test_every_changed_bit_prefix_and_suffix_makes_it_garbage() -> None:
    text, raw = CURRENT.text(), CURRENT.raw
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        assert rotation.read(KEYS, replace(CURRENT, raw=bytes(changed)).text()) is None
    for cut in range(len(text)):
        assert rotation.read(KEYS, text[:cut]) is None
        assert rotation.read(KEYS, text[cut + 1 :]) is None


@pytest.mark.parametrize(
    "change",
    [str.upper, str.lower, str.swapcase, lambda t: t + "=", lambda t: t + "A", lambda t: " " + t, lambda t: t + "\n"],
)
def test_another_spelling_of_the_same_token_is_garbage(change: object) -> None:
    assert callable(change)
    assert rotation.read(KEYS, change(CURRENT.text())) is None


def test_base64_that_decodes_to_the_same_bytes_is_garbage() -> None:
    text = CURRENT.text()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = [text[:-1] + last for last in alphabet if last != text[-1]]
    decoded = [t for t in same if base64.urlsafe_b64decode(t[3:] + "=") == CURRENT.raw]
    assert decoded, "the last character has spare bits, or this test proves nothing"
    assert all(rotation.read(KEYS, t) is None for t in itertools.chain(same, decoded))


def test_a_token_under_an_unknown_key_is_garbage() -> None:
    assert rotation.read({9: b"e" * 32}, CURRENT.text()) is None
    assert rotation.read({7: b"x" * 32}, CURRENT.text()) is None
