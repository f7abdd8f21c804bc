"""Access tokens taken apart and put together again: with the real key, with others, with none."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from authapi.core.context import Context
from authapi.core.signing import SigningKey, make_private_key
from tests.support.people import Person

Json: TypeAlias = dict[str, Any]
Tokens: TypeAlias = dict[str, str]
Forge: TypeAlias = "Callable[[Forger], Tokens]"

ALGORITHMS = get_default_algorithms()


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def dumped(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def parts(token: str) -> tuple[Json, Json, bytes]:
    header, payload, signature = token.split(".")
    return json.loads(decode(header)), json.loads(decode(payload)), decode(signature)


def keys_of(ctx: Context) -> Mapping[str, SigningKey]:
    return ctx.keyring._keys


def current_of(ctx: Context) -> SigningKey:
    key = ctx.keyring._current
    assert key is not None
    return key


@dataclass(frozen=True)
class Forger:
    """Holds a good token, the key that signed it, and a stranger's key of the same kind.

    `url` is where the stranger's keys would be found, if anybody looked.
    """

    token: str
    key: SigningKey
    next: SigningKey
    url: str = "https://127.0.0.1:1/keys.json"
    stranger: SigningKey = field(init=False)

    def __post_init__(self) -> None:
        stranger = SigningKey("stranger", self.key.algorithm, make_private_key(self.key.algorithm))
        object.__setattr__(self, "stranger", stranger)

    @property
    def header(self) -> Json:
        return parts(self.token)[0]

    @property
    def claims(self) -> Json:
        return parts(self.token)[1]

    @property
    def signature(self) -> bytes:
        return parts(self.token)[2]

    @property
    def signed_part(self) -> str:
        return self.token.rpartition(".")[0]

    def sign(self, text: str, key: SigningKey | None = None, algorithm: str | None = None) -> str:
        """Any text, as the first two segments. Signed by the real key unless told."""
        key = key or self.key
        signature = ALGORITHMS[algorithm or key.algorithm].sign(text.encode(), key.private)
        return f"{text}.{encode(signature)}"

    def make(self, header: Any = None, claims: Any = None, key: SigningKey | None = None) -> str:
        """Bytes stand for themselves, everything else becomes JSON. What is not told is as in the good token."""
        first = self.header if header is None else header
        second = self.claims if claims is None else claims
        return self.sign(f"{encode(dumped(first))}.{encode(dumped(second))}", key)

    def with_text(self, part: str, data: bytes) -> str:
        """`part` is `header` or `claims`; the other one is as in the good token."""
        return self.make(header=data) if part == "header" else self.make(claims=data)

    def with_header(self, **changes: Any) -> str:
        return self.make(header=self.header | changes)

    def with_claims(self, **changes: Any) -> str:
        return self.make(claims=self.claims | changes)

    def without(self, *names: str) -> str:
        return self.make(claims={name: value for name, value in self.claims.items() if name not in names})

    def with_mac(self, secret: bytes, algorithm: str, **header: Any) -> str:
        digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[algorithm]
        text = f"{encode(dumped(self.header | {'alg': algorithm} | header))}.{self.token.split('.')[1]}"
        return f"{text}.{encode(hmac.digest(secret, text.encode(), digest))}"

    def public_bytes(self) -> dict[str, bytes]:
        """What an attacker who knows the public key may take for a shared secret (T-J1)."""
        public, jwk = self.key.private.public_key(), self.key.jwk()
        known = {
            "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "SSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            "JWK": dumped(jwk),
            "JWK spaced": json.dumps(jwk).encode(),
            "kid": self.key.kid.encode(),
            "nothing": b"",
        }
        known["PEM stripped"] = known["PEM"].strip()
        return known | {f"member {name}": decode(jwk[name]) for name in ("n", "x", "y") if name in jwk}


def forger(ctx: Context, person: Person, **more: str) -> Forger:
    following = next(key for key in keys_of(ctx).values() if key.kid != current_of(ctx).kid)
    return Forger(person.access_token, current_of(ctx), following, **more)
