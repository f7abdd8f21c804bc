"""Randomness, digests, and the keys that come from the root secret: the only module that draws random bytes."""

import hashlib
import hmac
import os
import secrets
import time
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from authapi.core.settings import Misconfigured, Settings

NONCE = 12


class Random(Protocol):
    def id(self) -> UUID: ...
    def id_text(self) -> str: ...
    def bytes(self, length: int) -> bytes: ...
    def token(self) -> str: ...
    def digits(self, length: int) -> str: ...
    def fraction(self) -> float: ...


class SystemRandom:
    def id(self) -> UUID:
        """A UUIDv7 (RFC 9562 §5.7): unique and ordered by time, but no secret."""
        return UUID(int=_uuid7())

    def id_text(self) -> str:
        """The same as text, in half the time: each request needs one."""
        text = f"{_uuid7():032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def bytes(self, length: int) -> bytes:
        return os.urandom(length)

    def token(self) -> str:
        """256 random bits, safe in a URL."""
        return secrets.token_urlsafe(32)

    def digits(self, length: int) -> str:
        """A code to be typed in, each one equally likely."""
        return f"{secrets.randbelow(10**length):0{length}}"

    def fraction(self) -> float:
        """A number in [0, 1), to spread what would otherwise happen at once."""
        return (int.from_bytes(os.urandom(8)) >> 11) / (1 << 53)


def _uuid7() -> int:
    random = int.from_bytes(os.urandom(10))
    milliseconds = time.time_ns() // 1_000_000
    return milliseconds << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1


class Unsealable(Exception):
    """None of the known root secrets opens it."""


class Vault:
    """Keys derived from the root secrets (HKDF, RFC 5869). The first root is used; all are accepted."""

    def __init__(self, settings: Settings) -> None:
        roots = (settings.secret, *settings.earlier_secrets)
        self._roots = tuple(root.get_secret_value().encode() for root in roots)
        self._keys: dict[str, dict[int, bytes]] = {}
        if len(self.keys("key id")) < len(set(self._roots)):
            raise Misconfigured(
                "AUTHAPI_SECRET and AUTHAPI_EARLIER_SECRETS: two of them share a key id; make another one"
            )

    def keys(self, purpose: str) -> dict[int, bytes]:
        """The 32-byte keys of a purpose by key id (0 to 255), the current one first."""
        if purpose not in self._keys:
            self._keys[purpose] = {_derive(root, "key id")[0]: _derive(root, purpose) for root in self._roots}
        return self._keys[purpose]

    def seal(self, purpose: str, plain: bytes, *, bound_to: bytes) -> bytes:
        """AES-256-GCM: key id (1 byte), nonce (12 bytes), ciphertext. Opens only with the same `bound_to`."""
        key_id, key = next(iter(self.keys(purpose).items()))
        nonce = os.urandom(NONCE)
        return bytes([key_id]) + nonce + AESGCM(key).encrypt(nonce, plain, bound_to)

    def unseal(self, purpose: str, sealed: bytes, *, bound_to: bytes) -> bytes:
        """Raises Unsealable."""
        key = self.keys(purpose).get(sealed[0]) if sealed else None
        if key is None:
            raise Unsealable(purpose)
        try:
            return AESGCM(key).decrypt(sealed[1 : 1 + NONCE], sealed[1 + NONCE :], bound_to)
        except (InvalidTag, ValueError) as error:
            raise Unsealable(purpose) from error

    def is_current(self, purpose: str, sealed: bytes) -> bool:
        """Whether it was sealed with the first root, and so survives the removal of the earlier ones."""
        return sealed[:1] == bytes([next(iter(self.keys(purpose)))])


def _derive(root: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"authapi {purpose}".encode()).derive(root)


def digest(secret: bytes) -> bytes:
    """SHA-256: what is stored instead of a token of 256 random bits."""
    return hashlib.sha256(secret).digest()


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(key, message, "sha256")


def same(a: bytes, b: bytes) -> bool:
    """Equal, in a time that tells nothing about where they differ."""
    return hmac.compare_digest(a, b)
