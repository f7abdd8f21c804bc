"""Device tokens: proof that somebody has signed in from a device before. Nothing is stored.

It is no credential: with one, failed sign-ins are counted per device instead of per account and address. It says when
the sign-in was, because it is good only as long as the password: whoever knew an earlier one may have many.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from authapi.core.secrets import mac, same

PURPOSE = "device tokens"
PREFIX = "dt_"
VERSION = 1
TAG = 16
LENGTH = 1 + 1 + 16 + 16 + 8 + TAG

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Device:
    """`signed_in_at` is the database's time of the last sign-in."""

    user_id: UUID
    id: UUID
    signed_in_at: datetime


def token(keys: Mapping[int, bytes], device: Device) -> str:
    """version ‖ key id ‖ user id (16) ‖ device id (16) ‖ microseconds (8) ‖ tag (16), under the first of the keys."""
    key_id, key = next(iter(keys.items()))
    since = ((device.signed_in_at - _EPOCH) // _MICROSECOND).to_bytes(8)
    signed = bytes([VERSION, key_id]) + device.user_id.bytes + device.id.bytes + since
    return PREFIX + urlsafe_b64encode(signed + mac(key, signed)[:TAG]).rstrip(b"=").decode()


def read(keys: Mapping[int, bytes], text: str | None) -> Device | None:
    """None where it is not one of ours, in the one spelling in which they are issued."""
    if text is None or not text.startswith(PREFIX):
        return None
    encoded = text.removeprefix(PREFIX)
    try:
        raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        return None
    if len(raw) != LENGTH or raw[0] != VERSION or urlsafe_b64encode(raw).rstrip(b"=").decode() != encoded:
        return None
    key = keys.get(raw[1])
    if key is None or not same(mac(key, raw[:-TAG])[:TAG], raw[-TAG:]):
        return None
    since = _EPOCH + int.from_bytes(raw[34:42]) * _MICROSECOND
    return Device(UUID(bytes=raw[2:18]), UUID(bytes=raw[18:34]), since)
