"""Refresh tokens: their form, their successors, and the decision what a presented one means. No I/O."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from authapi.core.secrets import digest, mac, same

PREFIX = "rt_"
VERSION = 1
SIGNED = 1 + 1 + 16 + 8 + 32
TAG = 16
LENGTH = len(PREFIX) + -(-(SIGNED + TAG) * 8 // 6)
SALT = 16
REPLAYS = 10
"""Replays go on for at most this many windows."""


@dataclass(slots=True)
class RefreshToken:
    """`raw` is version ‖ key id ‖ session id (16) ‖ generation (8) ‖ random (32) ‖ tag (16); `hash` is all that the
    database keeps of it."""

    raw: bytes
    session_id: UUID
    hash: bytes

    @property
    def generation(self) -> int:
        return int.from_bytes(self.raw[18:26])

    def text(self) -> str:
        return _text(self.raw)

    def __repr__(self) -> str:
        return f"RefreshToken(session={self.session_id}, generation={self.generation})"


def mint(keys: Mapping[int, bytes], session_id: UUID, generation: int, random: bytes) -> RefreshToken:
    """A token under the first of the keys. `random` has 32 bytes."""
    key_id, key = next(iter(keys.items()))
    return _tagged(key_id, key, session_id, generation, random)


def _tagged(key_id: int, key: bytes, session_id: UUID, generation: int, random: bytes) -> RefreshToken:
    signed = bytes([VERSION, key_id]) + session_id.bytes + generation.to_bytes(8) + random
    raw = signed + mac(key, b"tag" + signed)[:TAG]
    return RefreshToken(raw, session_id, digest(raw))


def _text(raw: bytes) -> str:
    return PREFIX + urlsafe_b64encode(raw).rstrip(b"=").decode()


def read(keys: Mapping[int, bytes], text: str) -> RefreshToken | None:
    """The token behind a text, or None where this service never issued exactly this text."""
    if len(text) != LENGTH or not text.startswith(PREFIX):
        return None
    try:
        raw = urlsafe_b64decode(text[len(PREFIX) :] + "=" * (-(len(text) - len(PREFIX)) % 4))
    except (binascii.Error, ValueError):
        return None
    if len(raw) != SIGNED + TAG or raw[0] != VERSION or _text(raw) != text:
        return None
    key = keys.get(raw[1])
    if key is None or not same(mac(key, b"tag" + raw[:SIGNED])[:TAG], raw[SIGNED:]):
        return None
    return RefreshToken(raw, UUID(bytes=raw[2:18]), digest(raw))


def successor(keys: Mapping[int, bytes], presented: RefreshToken, salt: bytes, generation: int) -> RefreshToken:
    """The token that follows: the same for whoever presents the same parent, and nothing in the database reveals it."""
    key_id, key = next(iter(keys.items()))
    return _follow(key_id, key, presented, salt, generation)


def _follow(key_id: int, key: bytes, presented: RefreshToken, salt: bytes, generation: int) -> RefreshToken:
    return _tagged(key_id, key, presented.session_id, generation, mac(key, b"successor" + presented.raw + salt))


@dataclass(frozen=True, slots=True)
class State:
    """The row, as read under its lock, and the database's time."""

    generation: int
    token_hash: bytes
    salt: bytes | None
    rotated_at: datetime
    replayed_at: datetime | None
    idle_expires_at: datetime
    absolute_expires_at: datetime | None
    ended_at: datetime | None
    now: datetime


class Verdict(Enum):
    ENDED = "ended"
    EXPIRED = "expired"
    ROTATED = "rotated"
    REPLAYED = "replayed"
    DISPLACED = "displaced"
    RELOAD = "reload"
    REUSED = "reused"
    STATE_LOST = "state_lost"


def child(keys: Mapping[int, bytes], presented: RefreshToken, state: State) -> RefreshToken | None:
    """The current token, if it is the successor of the presented one; made under whichever key it was made with."""
    if state.salt is None or presented.generation >= state.generation:
        return None
    for key_id, key in keys.items():
        token = _follow(key_id, key, presented, state.salt, state.generation)
        if same(token.hash, state.token_hash):
            return token
    return None


def decide(state: State, presented: RefreshToken, *, is_parent: bool, window: timedelta) -> Verdict:
    """What a presented token with a right tag means (the table of `docs/ROTATION.md`, row by row).

    `is_parent`: the current token is its successor. A window of zero is strict single use.
    """
    if state.ended_at is not None:
        return Verdict.ENDED
    if state.now >= state.idle_expires_at or (state.absolute_expires_at and state.now >= state.absolute_expires_at):
        return Verdict.EXPIRED
    if same(presented.hash, state.token_hash):
        return Verdict.ROTATED
    if presented.generation > state.generation:
        return Verdict.STATE_LOST
    if not window:
        return Verdict.REUSED
    since_rotation = state.now - state.rotated_at
    if is_parent:
        since_use = state.now - (state.replayed_at or state.rotated_at)
        replays = since_use <= window and since_rotation <= REPLAYS * window
        return Verdict.REPLAYED if replays else Verdict.DISPLACED
    return Verdict.RELOAD if since_rotation <= window else Verdict.REUSED
