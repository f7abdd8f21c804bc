"""May this page make the call? Asked of every call that works by a cookie, which the browser sends whoever makes it.

Two proofs, each enough by itself (OWASP CSRF prevention): the browser names an allowed page as the origin, and the page
knows a value that belongs to the session and that no other page can read.
"""

from base64 import urlsafe_b64encode
from uuid import UUID

from authapi.core.context import Context
from authapi.core.secrets import mac, same
from authapi.sessions.errors import CsrfFailed

PURPOSE = "csrf"
TOKEN = b"x-csrf-token"

Headers = list[tuple[bytes, bytes]]


def token(ctx: Context, session_id: UUID) -> str:
    """The value for a session: as long as the session lives, the same on every instance."""
    return _token(next(iter(ctx.vault.keys(PURPOSE).values())), session_id).decode()


def _token(key: bytes, session_id: UUID) -> bytes:
    return urlsafe_b64encode(mac(key, session_id.bytes)).rstrip(b"=")


def check_token(ctx: Context, headers: Headers, session_id: UUID) -> None:
    """Raises CsrfFailed unless `X-CSRF-Token` is the session's."""
    sent = values(headers, TOKEN)
    keys = ctx.vault.keys(PURPOSE).values()
    if len(sent) != 1 or not any(same(_token(key, session_id), sent[0]) for key in keys):
        raise CsrfFailed("X-CSRF-Token must be the csrf_token of this session; GET …/auth/csrf tells it.")


def check_origin(ctx: Context, headers: Headers) -> None:
    """Raises CsrfFailed unless a page of ours makes the call. A browser lets no page choose what these headers say.

    `Origin` decides; it is missing only where a page reads from its own origin, which `Sec-Fetch-Site` then tells.
    """
    origins = values(headers, b"origin")
    if origins:
        is_ours = len(origins) == 1 and origins[0].decode("latin-1") in ctx.settings.page_origins
    else:
        is_ours = values(headers, b"sec-fetch-site") == [b"same-origin"]
    if not is_ours:
        raise CsrfFailed("The call must come from AUTHAPI_PUBLIC_URL or an origin in AUTHAPI_ALLOWED_ORIGINS.")


def values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for each, value in headers if each == name]
