"""Signing keys in memory: makes and reads compact JWTs (RFC 7515, RFC 7519) as RFC 8725 asks."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import Algorithm, get_default_algorithms
from pydantic_core import to_json

from authapi.core import json_guard
from authapi.core.problems import MalformedRequest

LONGEST = 4096
"""Bytes of the longest token that is looked at."""

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ES256 = ec.ECDSA(SHA256())
_HEADER = {"alg", "kid", "typ"}
_ALGORITHMS: Mapping[str, Algorithm] = get_default_algorithms()


class NotOurs(Exception):
    """Not a token that one of the known keys signed, in the one form in which they sign."""


class UnknownKey(NotOurs):
    """Well-formed, but the key is not known here; perhaps not yet."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    kid: str
    algorithm: str
    private: PrivateKey = field(repr=False)

    def jwk(self) -> dict[str, str]:
        """The public half (RFC 7517)."""
        public: dict[str, str] = dict(_ALGORITHMS[self.algorithm].to_jwk(self.private.public_key(), as_dict=True))
        public.pop("key_ops", None)
        return {**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, data: bytes) -> bytes:
        if not isinstance(self.private, ec.EllipticCurvePrivateKey):
            return bytes(_ALGORITHMS[self.algorithm].sign(data, self.private))
        r, s = decode_dss_signature(self.private.sign(data, _ES256))  # RFC 7518 §3.4; PyJWT takes 4 µs longer for it
        return r.to_bytes(32) + s.to_bytes(32)

    def der(self) -> bytes:
        """PKCS #8, to be sealed."""
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def make_private_key(algorithm: str) -> PrivateKey:
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def load_private_key(der: bytes) -> PrivateKey:
    key = load_der_private_key(der, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
        raise TypeError("a signing key of a kind that is never made")
    return key


class KeyRing:
    """The keys of this process: one signs, all verify, all are published.

    `believed` is where the reader of claims may remember tokens that it has verified; it is emptied with the keys.
    """

    def __init__(self) -> None:
        self._current: SigningKey | None = None
        self._keys: dict[str, SigningKey] = {}
        self._public: dict[str, Any] = {}
        self.believed: dict[str, Any] = {}
        self._header = b""
        self.jwks = b'{"keys":[]}'

    @property
    def is_empty(self) -> bool:
        return self._current is None

    @property
    def current(self) -> str:
        """The kid that signs, or nothing."""
        return self._current.kid if self._current else ""

    def keys(self) -> tuple[SigningKey, ...]:
        return tuple(self._keys.values())

    def replace(self, keys: Iterable[SigningKey], *, current: str) -> None:
        self._keys = {key.kid: key for key in keys}
        self._public = {kid: key.private.public_key() for kid, key in self._keys.items()}
        self.believed.clear()
        self._current = self._keys[current]
        header = {"alg": self._current.algorithm, "kid": current, "typ": "at+jwt"}
        self._header = _encode(to_json(header))
        self.jwks = json.dumps({"keys": [key.jwk() for key in self._keys.values()]}, separators=(",", ":")).encode()

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A compact JWT of type `at+jwt` (RFC 9068 §2.1)."""
        if self._current is None:
            raise RuntimeError("no signing key is loaded")
        signed = self._header + b"." + _encode(to_json(claims))
        return (signed + b"." + _encode(self._current.sign(signed))).decode()

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a token that one of the keys signed; nothing is said about what they claim.

        The algorithm is the key's, never the token's; headers that name keys or change rules are refused; base64url
        must be canonical, so that a signature has one text. Raises NotOurs, UnknownKey.
        """
        raw = token.encode("ascii", "replace")
        if len(raw) > LONGEST or not _COMPACT.fullmatch(raw):
            raise NotOurs("form")
        signed, _, signature = raw.rpartition(b".")
        header, _, payload = signed.partition(b".")
        key = self._key(_object(header))
        algorithm = _ALGORITHMS[key.algorithm]
        if not algorithm.verify(signed, self._public[key.kid], _decode(signature)):
            raise NotOurs("signature")
        return _object(payload)

    def _key(self, header: dict[str, Any]) -> SigningKey:
        kid, kind = header.get("kid"), header.get("typ")
        if not header.keys() <= _HEADER or not isinstance(kid, str) or not isinstance(kind, str):
            raise NotOurs("header")
        if kind.lower().removeprefix("application/") != "at+jwt":
            raise NotOurs("type")
        key = self._keys.get(kid)
        if key is None:
            raise UnknownKey(kid)
        if header.get("alg") != key.algorithm:
            raise NotOurs("algorithm")
        return key


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    try:
        data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        raise NotOurs("base64url") from None
    if _encode(data) != text:
        raise NotOurs("base64url")
    return data


def _object(part: bytes) -> dict[str, Any]:
    try:
        value = json_guard.check(_decode(part))
    except MalformedRequest:
        raise NotOurs("JSON") from None
    if not isinstance(value, dict):
        raise NotOurs("JSON")
    return value
