"""What a request must look like before the app sees it: its target, its headers, its body."""

from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authapi.core import json_guard
from authapi.core.problems import MalformedRequest, Problem
from authapi.core.timer import Within

BODY = 64 * 1024
URL = 8 * 1024
HEADERS = 16 * 1024
HEADER_COUNT = 100

PARSED = "authapi.body"
NOTHING: Final = object()

_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"authorization", b"content-type"})
_VERSIONS = frozenset({"1.1", "1.0", None})
_UTF8 = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})


class BodyTooLarge(Problem):
    code = "body_too_large"
    status = 413
    title = f"The body may have {BODY // 1024} KiB at most."
    action = "fix_request"


class UnsupportedMediaType(Problem):
    code = "unsupported_media_type"
    status = 415
    title = "A body must be application/json in UTF-8, without content encoding."
    action = "fix_request"


class RequestTimeout(Problem):
    code = "request_timeout"
    status = 408
    title = "The request took too long to arrive."
    action = "retry"


class UriTooLong(Problem):
    code = "uri_too_long"
    status = 414
    title = f"The URL may have {URL // 1024} KiB at most."
    action = "fix_request"


class HeadersTooLarge(Problem):
    code = "headers_too_large"
    status = 431
    title = f"There may be {HEADER_COUNT} headers and {HEADERS // 1024} KiB of them at most."
    action = "fix_request"


class Head(NamedTuple):
    """What the headers say of the body."""

    length: int | None
    media_type: bytes
    encoded: bool
    is_empty: bool


class BodyGuard:
    """Reads the body whole, checks it, and hands it to the app in one piece. Raises the problems above.

    `timeout` is in seconds, for the whole body.
    """

    def __init__(self, app: ASGIApp, *, timeout: float = 20.0) -> None:
        self._app = app
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        version = scope.get("http_version")
        if version not in _VERSIONS:  # the parser lets 0.9 and 2.0 pass (RFC 9112 §2.3)
            raise MalformedRequest("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        check_target(scope.get("raw_path") or b"", scope.get("query_string") or b"", scope["path"])
        head = check_headers(scope["headers"])
        if head.length is not None and head.length > BODY:
            raise BodyTooLarge()
        unsent = head.is_empty and version == "1.1"  # RFC 9112 §6.3: no length and no coding, no body
        body = b"" if unsent else await self._read(receive)
        if body is None:
            return None
        if body:
            if head.encoded or not is_json(head.media_type):
                raise UnsupportedMediaType()
            scope[PARSED] = json_guard.check(body)
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        timer = Within(self._timeout)
        try:
            with timer:
                return await _read(receive)
        except TimeoutError:
            if not timer.is_over:
                raise
            raise RequestTimeout(headers={"Connection": "close"}) from None


def parsed(scope: Scope) -> Any:
    """The value of the body, which BodyGuard has read already, or NOTHING."""
    return scope.get(PARSED, NOTHING)


def check_target(raw_path: bytes, query: bytes, path: str) -> None:
    """Raises UriTooLong or MalformedRequest. Later decoding would replace bad UTF-8 silently."""
    if len(raw_path) + len(query) >= URL:
        raise UriTooLong()
    if "\0" in path:
        raise MalformedRequest("The path contains NUL.")
    for part, raw in (("path", raw_path), ("query", query)):
        if b"%" not in raw and raw.isascii() and b"\0" not in raw:
            continue
        try:
            decoded = unquote_to_bytes(raw).decode() if raw.isascii() else None
        except UnicodeDecodeError:
            decoded = None
        if decoded is None:
            raise MalformedRequest(f"The {part} is not UTF-8, percent-encoded.")
        if "\0" in decoded:
            raise MalformedRequest(f"The {part} contains NUL.")


def check_headers(headers: list[tuple[bytes, bytes]]) -> Head:
    """Raises HeadersTooLarge, or MalformedRequest for a header that may stand once and stands twice.

    And for a transfer coding that nobody here undoes: the body would not be what was sent (RFC 9112 §6.1).
    """
    if len(headers) > HEADER_COUNT:
        raise HeadersTooLarge()
    size = 0
    once: dict[bytes, bytes] = {}
    encoded = False
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name in _ONCE:
            if name in once:
                raise MalformedRequest(f"The header {name.decode()} stands twice.")
            once[name] = value
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            encoded = True
    if size > HEADERS:
        raise HeadersTooLarge()
    length = _length(once.get(b"content-length"))
    coding = once.get(b"transfer-encoding")
    if coding is not None and coding.strip().lower() != b"chunked":
        raise MalformedRequest("The only transfer coding is chunked.")
    is_empty = not length and coding is None
    return Head(length, once.get(b"content-type", b""), encoded, is_empty)


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit():
        raise MalformedRequest("The header content-length is not a number.")
    return int(value) if len(value) < 19 else BODY + 1


def is_json(media_type: bytes) -> bool:
    """Parameters are allowed, but no charset except UTF-8."""
    if media_type in _UTF8:
        return True
    kind, *parameters = media_type.lower().split(b";")
    if kind.strip() != b"application/json":
        return False
    pairs = [parameter.strip().partition(b"=") for parameter in parameters]
    return all(value.strip(b'"') in (b"utf-8", b"utf8") for name, _, value in pairs if name.strip() == b"charset")


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when the client went away. Raises BodyTooLarge as soon as it is."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > BODY:
            raise BodyTooLarge()
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Delivers the body once; after it, whatever the server says, which is when the client goes away."""
    delivered = False

    async def replay() -> Message:
        nonlocal delivered
        if delivered:
            return await receive()
        delivered = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
