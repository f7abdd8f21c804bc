"""Access tokens: what they claim (RFC 9068) and how a claim is believed (RFC 8725)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from authapi.core.context import Context
from authapi.core.settings import LONGEST_ACCESS_TOKEN
from authapi.core.signing import NotOurs, UnknownKey
from authapi.sessions.errors import AccessTokenExpired, AccessTokenInvalid

LEEWAY = 30
"""Seconds by which clocks may differ."""


REMEMBERED = 16_384
"""Verified tokens that a process remembers, to verify each once; the oldest give way."""


@dataclass(frozen=True, slots=True)
class Claims:
    """`issued` and `expires` are seconds since 1970."""

    user_id: UUID
    session_id: UUID
    signed_in_at: datetime
    methods: tuple[str, ...]
    email_verified: bool
    issued: int
    expires: int


def issue(
    ctx: Context,
    *,
    user_id: UUID,
    session_id: UUID,
    signed_in_at: datetime,
    methods: Sequence[str],
    email_verified: bool,
    now: datetime,
    until: datetime,
) -> tuple[str, int]:
    """An access token and its lifetime in seconds, which ends with the session at the latest.

    `now` is the database's time, which came with the statement that allowed this; `until` is when the session expires.
    """
    settings = ctx.settings
    issued = int(now.timestamp())
    lifetime = max(1, min(settings.access_token_lifetime, int(until.timestamp()) - issued))
    token = ctx.keyring.sign(
        {
            "iss": settings.token_issuer,
            "aud": settings.audience,
            "sub": str(user_id),
            "client_id": settings.client_id,
            "iat": issued,
            "exp": issued + lifetime,
            "jti": ctx.random.id_text(),
            "sid": str(session_id),
            "auth_time": int(signed_in_at.timestamp()),
            "amr": list(methods),
            "email_verified": email_verified,
        }
    )
    return token, lifetime


def read(ctx: Context, token: str) -> Claims:
    """Raises AccessTokenInvalid, AccessTokenExpired. Says nothing of whether the session still stands.

    Raises UnknownKey where another instance may have made a key that is not known here yet.
    """
    claims = ctx.keyring.believed.get(token) or _verify(ctx, token)
    now = ctx.clock.now().timestamp()
    lifetime = claims.expires - claims.issued
    if claims.issued > now + LEEWAY or lifetime > LONGEST_ACCESS_TOKEN:
        raise AccessTokenInvalid()
    if claims.expires + LEEWAY <= now:
        raise AccessTokenExpired()
    return claims


def _verify(ctx: Context, token: str) -> Claims:
    """Remembers what it believes until the keys change."""
    try:
        claims = ctx.keyring.read(token)
        if claims["iss"] != ctx.settings.token_issuer or claims["aud"] != ctx.settings.audience:
            raise NotOurs("issuer or audience")
        if "nbf" in claims or not isinstance(claims["client_id"], str) or not isinstance(claims["jti"], str):
            raise NotOurs("claims")
        believed = Claims(
            _id(claims["sub"]),
            _id(claims["sid"]),
            datetime.fromtimestamp(_number(claims["auth_time"]), UTC),
            _strings(claims["amr"]),
            _boolean(claims["email_verified"]),
            _number(claims["iat"]),
            _number(claims["exp"]),
        )
    except UnknownKey:
        raise
    except (NotOurs, KeyError, ValueError, OverflowError, OSError):
        raise AccessTokenInvalid() from None
    remembered = ctx.keyring.believed
    if len(remembered) >= REMEMBERED:
        del remembered[next(iter(remembered))]
    remembered[token] = believed
    return believed


def _number(value: object) -> int:
    if type(value) is not int:
        raise NotOurs("a number")
    return value


def _id(value: object) -> UUID:
    """In the one spelling in which they are issued."""
    if not isinstance(value, str) or str(found := UUID(value)) != value:
        raise NotOurs("an id")
    return found


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise NotOurs("a list of strings")
    return tuple(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise NotOurs("a boolean")
    return value
