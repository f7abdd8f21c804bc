"""Cookie mode: a browser keeps the refresh token where no script can read it (OWASP ASVS 3.3, 10.1.1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Request, Response

from authapi.core.context import Context
from authapi.core.problems import MalformedRequest, Problem
from authapi.core.settings import DAY, Settings
from authapi.sessions import csrf, rotation
from authapi.sessions.csrf import Headers
from authapi.sessions.errors import CookieMissing, InvalidToken
from authapi.sessions.schemas import TokensOut
from authapi.sessions.service import PURPOSE, Tokens

REFRESH = "authapi_rt"
DEVICE = "authapi_device"
DEVICE_LIFETIME = 400 * DAY
"""The longest that browsers grant (RFC 6265bis §5.5); each sign-in counts anew."""

REMEMBERED = ".remembered"
"""Ends the value of a cookie that outlives the browser, so that the one that follows it does too."""

MODE = b"x-auth-mode"
ASKED = b"cookie"

IN_SIGN_IN: dict[str, Any] = {
    "parameters": [
        {
            "name": "X-Auth-Mode",
            "in": "header",
            "schema": {"type": "string", "enum": ["cookie"]},
            "description": "`cookie`: the refresh token comes as a cookie, not in the body. The page must be of the "
            "service's own origin or an allowed one.",
        }
    ]
}
"""For the document: what `asked_for` reads."""

IN_USE: dict[str, Any] = {
    "parameters": [
        {
            "name": "X-CSRF-Token",
            "in": "header",
            "schema": {"type": "string"},
            "description": "With the cookie instead of a token: the `csrf_token` of the session.",
        }
    ]
}
"""For the document: what `presented` reads."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A refresh token that came as a cookie, from a page that may use it."""

    token: str
    session_id: UUID
    is_remembered: bool


def asked_for(ctx: Context, request: Request) -> bool:
    """Whether a sign-in wants cookies. Raises MalformedRequest, and CsrfFailed for a page that is not ours.

    Else another page could sign a person in as somebody else (login CSRF).
    """
    headers: Headers = request.scope["headers"]
    modes = csrf.values(headers, MODE)
    if not modes:
        return False
    if modes != [ASKED]:
        raise MalformedRequest("X-Auth-Mode must be `cookie`, once, or be left out.")
    csrf.check_origin(ctx, headers)
    return True


def presented(ctx: Context, request: Request) -> Presented | None:
    """The cookie's token, for a call that has no other; None where the call is none of cookie mode.

    Raises CsrfFailed, CookieMissing, InvalidToken, and MalformedRequest where the cookie stands twice.
    """
    headers: Headers = request.scope["headers"]
    if not _found(headers, _name(ctx.settings, REFRESH)) and not csrf.values(headers, csrf.TOKEN):
        return None
    found = held(ctx, request)
    csrf.check_token(ctx, headers, found.session_id)
    return found


def held(ctx: Context, request: Request) -> Presented:
    """The cookie's token, whether or not the page knows its CSRF token. Raises as `presented` does."""
    headers: Headers = request.scope["headers"]
    csrf.check_origin(ctx, headers)
    values = _found(headers, _name(ctx.settings, REFRESH))
    if len(values) > 1:
        raise MalformedRequest("The cookie of the session stands twice.")
    if not values:
        raise CookieMissing()
    bare = values[0].removesuffix(REMEMBERED)
    with cleared_by_refusal(ctx.settings):
        token = rotation.read(ctx.vault.keys(PURPOSE), bare)
        if token is None:
            raise InvalidToken()
    return Presented(bare, token.session_id, bare != values[0])


def replaced(settings: Settings, request: Request) -> str | None:
    """The refresh token that a new cookie takes the place of."""
    values = _found(request.scope["headers"], _name(settings, REFRESH))
    return values[0].removesuffix(REMEMBERED) if len(values) == 1 else None


def device_token(settings: Settings, request: Request) -> str | None:
    """What the last sign-in left in this browser."""
    values = _found(request.scope["headers"], _name(settings, DEVICE))
    return values[0] if len(values) == 1 else None


@contextmanager
def cleared_by_refusal(settings: Settings) -> Iterator[None]:
    """What makes a client forget its tokens clears the cookie; nothing else does.

    Not where the browser itself has ended the session: the answer to that has cleared or replaced the cookie, and this
    one may come later than a new one.
    """
    try:
        yield
    except Problem as problem:
        if problem.action == "reauthenticate" and problem.extra.get("reason") != "logout":
            problem.headers["Set-Cookie"] = cleared(settings)
        raise


def answer(
    ctx: Context,
    out: TokensOut,
    tokens: Tokens,
    *,
    is_remembered: bool,
    device_token: str | None = None,
    status: Literal[200, 201] = 200,
) -> Response:
    """The same answer with the refresh token, and the device's if there is one, in a cookie."""
    shown = out.model_copy(update={"refresh_token": None, "csrf_token": csrf.token(ctx, tokens.session_id)})
    response = Response(shown.model_dump_json(), status, media_type="application/json")
    lifetime = int((tokens.refresh_expires_at - tokens.now).total_seconds())
    value = tokens.refresh_token + (REMEMBERED if is_remembered else "")
    response.headers.append("Set-Cookie", _cookie(ctx.settings, REFRESH, value, lifetime if is_remembered else None))
    if device_token is not None:
        response.headers.append("Set-Cookie", _cookie(ctx.settings, DEVICE, device_token, DEVICE_LIFETIME))
    return response


def cleared(settings: Settings) -> str:
    """The header that makes a browser forget the refresh token."""
    return _cookie(settings, REFRESH, "", 0)


def are_plain(settings: Settings) -> bool:
    """Whether cookies go without `Secure`, and so without the prefix: never in production."""
    url = urlsplit(settings.public_url)
    is_here = url.hostname in ("localhost", "127.0.0.1", "::1")
    return settings.env == "development" and url.scheme == "http" and is_here


def _name(settings: Settings, name: str) -> str:
    """The prefix keeps other hosts of the site, and plain HTTP, from setting it (RFC 6265bis §4.1.3.2)."""
    return name if are_plain(settings) else f"__Host-{name}"


def _cookie(settings: Settings, name: str, value: str, lifetime: int | None) -> str:
    parts = [f"{_name(settings, name)}={value}", "Path=/", "HttpOnly", "SameSite=Strict"]
    if lifetime is not None:
        parts.append(f"Max-Age={lifetime}")
    if not are_plain(settings):
        parts.append("Secure")
    return "; ".join(parts)


def _found(headers: Headers, name: str) -> list[str]:
    """Every value of the cookie. By hand: what parses cookies for us would keep one of two of the same name."""
    wanted = name.encode()
    pairs = (pair.partition(b"=") for line in csrf.values(headers, b"cookie") for pair in line.split(b";"))
    return [value.strip().decode("latin-1") for each, equals, value in pairs if equals and each.strip() == wanted]
