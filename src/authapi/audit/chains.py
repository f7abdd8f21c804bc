"""What holds the events together: each one's hash covers the one before, and a seal under a key covers them all.

The trigger `audit_chain` computes the same as `link`; a chain is whatever it found free, so it says nothing of who.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from authapi.core.secrets import digest, mac, same

SHORTEST = timedelta(days=30)
"""No event is deleted before, whatever the settings; the database holds this too."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Event(Protocol):
    """A row of `audit_events`; `data` is the text of its JSON, as Postgres writes it."""

    seq: int
    id: UUID
    name: str
    at: datetime
    user_id: UUID | None
    session_id: UUID | None
    ip: str
    user_agent: str
    request_id: str
    data: str
    salt: UUID | None
    client_hash: bytes
    hash: bytes


class Anchor(Protocol):
    chain: int
    seq: int
    hash: bytes
    at: datetime
    mac: bytes


@dataclass(frozen=True, slots=True)
class Point:
    """Where a walk along a chain has come to: the last event's number and hash, 0 and nothing before the first."""

    seq: int
    hash: bytes


class Broken(Exception):
    """The chain does not hold. The message says which event is the first that does not fit."""


def step(at: Point, event: Event) -> Point:
    """On to the next event, which must be the next indeed. Raises Broken."""
    if event.seq <= at.seq:
        raise Broken(f"{shown(event)} was inserted before event {at.seq + 1}")
    if event.seq > at.seq + 1:
        raise Broken(f"events {at.seq + 1} to {event.seq - 1} are missing before {shown(event)}")
    if not same(event.hash, link(at, event)) or not _has_its_client(event):
        raise Broken(f"{shown(event)} was changed, moved or inserted")
    return Point(event.seq, event.hash)


def link(before: Point, event: Event) -> bytes:
    """The hash of an event. Lengths before what may hold any character, so that no two events read the same."""
    user, session = event.user_id or "", event.session_id or ""
    words = f"{event.id} {user} {session} {len(event.name)} {event.name} {len(event.request_id)} {event.request_id} "
    numbers = struct.pack(">qq", before.seq + 1, _microseconds(event.at))
    return digest(before.hash + numbers + event.client_hash + (words + event.data).encode())


def _has_its_client(event: Event) -> bool:
    """Address and user agent go with their salt, which leaves a hash that tells nothing of them."""
    if event.salt is None:
        return not event.ip and not event.user_agent
    return same(event.client_hash, digest(f"{event.salt} {event.ip} {event.user_agent}".encode()))


def seal(keys: dict[int, bytes], chain: int, point: Point, at: datetime) -> bytes:
    """One byte that names the key, and a MAC that whoever has only the database cannot make."""
    key_id, key = next(iter(keys.items()))
    return bytes([key_id]) + mac(key, _sealed(chain, point.seq, point.hash, at))


def is_sealed(keys: dict[int, bytes], anchor: Anchor) -> bool:
    key = keys.get(anchor.mac[0]) if anchor.mac else None
    return key is not None and same(anchor.mac[1:], mac(key, _sealed(anchor.chain, anchor.seq, anchor.hash, anchor.at)))


def may_begin_at(seq: int, anchors: Iterable[Anchor], now: datetime) -> bool:
    """Whether what a chain no longer has up to `seq` was old enough to be deleted, as a seal of that time shows."""
    return seq == 0 or any(anchor.seq >= seq and anchor.at <= now - SHORTEST for anchor in anchors)


def shown(event: Event) -> str:
    return f"event {event.seq} ({event.id} of {event.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ})"


def _sealed(chain: int, seq: int, hash: bytes, at: datetime) -> bytes:
    return struct.pack(">iqq", chain, seq, _microseconds(at)) + hash


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
