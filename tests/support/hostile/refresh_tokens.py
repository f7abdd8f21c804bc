"""Refresh tokens that somebody made out of real ones: each bit, each part, each way to write them."""

import hashlib
import hmac
import random
from base64 import b32encode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from itertools import permutations, product
from urllib.parse import quote

from authapi.sessions.rotation import PREFIX, SIGNED, TAG

FIELDS = ((0, 1), (1, 2), (2, 18), (18, 26), (26, 58), (58, 74))
"""Version, key id, session id, generation, random, tag, as bytes of the token."""

MARKS = (
    " ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "=",
    "==",
    "+",
    "/",
    ".",
    "-",
    "_",
    "A",
    "%00",
    "\u00e9",
    "\u200b",
    "\ufeff",
    "\U0001f511",
    "'",
    '"',
)
GUESSES = (
    b"",
    b"\0",
    bytes(16),
    bytes(32),
    b"secret",
    b"tag",
    b"key",
    b"rt_",
    b"\xff" * 32,
    b"authapi",
    b"refresh tokens",
)
"""Keys under which a careless service would make its tags."""


def raw(text: str) -> bytes:
    body = text.removeprefix(PREFIX)
    return urlsafe_b64decode(body + "=" * (-len(body) % 4))


def text(data: bytes) -> str:
    return PREFIX + urlsafe_b64encode(data).rstrip(b"=").decode()


def mutated(real: Sequence[str], seed: int) -> Iterator[str]:
    """Without end, and each once; first by rule, then by chance. None of the real ones is among them."""
    seen = set(real)
    for made in _all(real, random.Random(seed)):  # noqa: S311 (it shall be the same each time)
        if made not in seen:
            seen.add(made)
            yield made


def _all(real: Sequence[str], chance: random.Random) -> Iterator[str]:
    for token in real:
        yield from _bits(token)
        yield from _lengths(token)
        yield from _writings(token)
        yield from _values(raw(token))
    for one, other in permutations(real, 2):
        yield from _mixtures(one, other)
    while True:
        data = bytearray(raw(chance.choice(real)))
        for _ in range(chance.randint(1, 40)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield text(bytes(data))


def _bits(token: str) -> Iterator[str]:
    """Every bit of the bytes, the two that they leave over in base64, and every bit of the text."""
    data = raw(token)
    number = int.from_bytes(data)
    yield from (text((number ^ 1 << bit).to_bytes(len(data))) for bit in range(len(data) * 8))
    yield from (f"{token[:-1]}{chr(ord(token[-1]) + step)}" for step in (1, 2, 3))
    for at, bit in product(range(len(token)), range(8)):
        yield f"{token[:at]}{chr(ord(token[at]) ^ 1 << bit)}{token[at + 1 :]}"


def _lengths(token: str) -> Iterator[str]:
    data = raw(token)
    for size in range(len(token)):
        yield token[:size]
        yield token[len(token) - size :]
        yield token[:size] + token[size + 1 :]
        yield token[:size] + token[size] + token[size:]
    for size in range(len(data)):
        yield text(data[:size])
        yield text(data[:size] + bytes(len(data) - size))
        yield text(data + data[:size])
    for mark, at in product(MARKS, (0, len(PREFIX), len(token) // 2, len(token))):
        yield token[:at] + mark + token[at:]


def _writings(token: str) -> Iterator[str]:
    body, data = token.removeprefix(PREFIX), raw(token)
    for at, letter in enumerate(token):
        yield token[:at] + letter.swapcase() + token[at + 1 :]
    yield from (token.upper(), token.lower(), token.swapcase(), token[::-1], quote(token[0] + token), token * 2, body)
    yield from (f"{PREFIX}{b64encode(data).decode()}", f"{PREFIX}{data.hex()}", data.hex(), b32encode(data).decode())
    yield from (
        f"{PREFIX}{urlsafe_b64encode(data).decode()}",
        text(token.encode()),
        text(data[::-1]),
        f"{PREFIX}{token}",
    )
    yield from (
        f"{prefix}{body}"
        for prefix in ("RT_", "Rt_", "rt-", "rt", "at_", "ot_", "dt_", "rt__", "r\u0442_", "Bearer rt_")
    )
    yield from (token.replace("-", "+").replace("_", "/"), "".join(chr(ord(letter) + 0xFEE0) for letter in token))
    yield from (
        f"{token}.remembered",
        f"{token};",
        f"{token},{token}",
        f'"{token}"',
        f"['{token}']",
        "null",
        "undefined",
        "0",
    )


def _values(data: bytes) -> Iterator[str]:
    """Other versions, keys and generations under the old tag, then under tags that anybody can make."""
    for value in range(256):
        yield text(bytes([value]) + data[1:])
        yield text(data[:1] + bytes([value]) + data[2:])
        yield text(data[:SIGNED] + bytes([value]) * TAG)
    generation = int.from_bytes(data[18:26])
    for step in (*range(-20, 21), 2**31, 2**63, -generation):
        later = data[:18] + ((generation + step) % 2**64).to_bytes(8) + data[26:]
        yield text(later)
        for key, name in product(GUESSES, ("sha256", "sha1", "md5")):
            yield text(later[:SIGNED] + hmac.digest(key, later[:SIGNED], name)[:TAG])
            yield text(later[:SIGNED] + hmac.digest(key, b"tag" + later[:SIGNED], name)[:TAG])
        yield text(later[:SIGNED] + hashlib.sha256(later[:SIGNED]).digest()[:TAG])


def _mixtures(one: str, other: str) -> Iterator[str]:
    """Some fields of the one, the rest of the other; and the beginning of the one, the end of the other."""
    left, right = raw(one), raw(other)
    for choice in product((left, right), repeat=len(FIELDS)):
        yield text(b"".join(source[start:end] for source, (start, end) in zip(choice, FIELDS, strict=True)))
    for at in range(1, len(one)):
        yield one[:at] + other[at:]
    for at in range(1, len(left)):
        yield text(left[:at] + right[at:])
        yield text(bytes(a ^ b for a, b in zip(left[:at], right, strict=False)) + left[at:])
