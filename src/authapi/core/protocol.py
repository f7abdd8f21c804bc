"""uvicorn's HTTP/1.1 protocol with an eye on the clock and on what arrives before there is a request to guard.

One timer a connection looks every `TICK` seconds whether the present phase took too long; a request only moves `_due`.
"""

import asyncio
import json
import logging
from enum import Enum, auto
from math import inf
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from authapi.core import metrics
from authapi.core.body import HEADERS, HeadersTooLarge, RequestTimeout
from authapi.core.hot import WHOLE
from authapi.core.http import HUNG_UP
from authapi.core.middleware import NO_STORE, STRICT_CONTENT, security_headers
from authapi.core.problems import MEDIA_TYPE, MalformedRequest, Problem
from authapi.core.secrets import SystemRandom

BODY_HEADERS = (b"content-length", b"transfer-encoding")

log = logging.getLogger(__name__)


class WholeCycle(RequestResponseCycle):
    """uvicorn's, which also takes an answer in one message. Its headers are this code's own, so that no line break is
    looked for in each of them."""

    async def send(self, message: Any) -> None:
        body = message.get(WHOLE)
        if body is None:
            return await super().send(message)
        if self._must_be_sent_in_parts():
            await super().send(message)
            return await super().send({"type": "http.response.body", "body": body, "more_body": False})
        answer = [STATUS_LINE[message["status"]]]
        for name, value in (*self.default_headers, *message["headers"]):
            answer += (name, b": ", value, b"\r\n")
        answer += (b"\r\n", body) if self.keep_alive else (b"connection: close\r\n\r\n", body)
        self.transport.write(b"".join(answer))
        self.response_started = self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _must_be_sent_in_parts(self) -> bool:
        """What is rare is uvicorn's to decide."""
        is_last = any(name == b"connection" for name, _ in self.default_headers)
        is_stuck = self.disconnected or self.flow.write_paused
        return is_last or is_stuck or self.response_started or self.scope["method"] == "HEAD"


class Phase(Enum):
    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    BUSY = auto()
    CLOSING = auto()


class GuardedProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=GuardedProtocol)`. All times in seconds, each exceeded by a `TICK` at most."""

    IDLE = 5.0
    """Until the first byte of a connection."""
    HEAD = 10.0
    """From the first byte of a request to the end of its headers."""
    BODY = 22.0
    """From there to the end of its body; BodyGuard answers a little earlier."""
    LINGER = 1.0
    """For the client to read a refusal while it is still sending: closing at once would reset the connection."""
    TICK = 1.0
    DRAINED = 1024 * 1024
    """Bytes of a body that are read although the answer has been given."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begun = self._head = self._drained = 0
        self._enter(Phase.IDLE, self.IDLE)
        self._watch = self.loop.call_later(min(self.IDLE, self.TICK), self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.CLOSING:
            return
        begun, was_idle = self._begun, self._phase is Phase.IDLE
        super().data_received(data)
        if self._phase is Phase.HEAD:
            if self._begun == begun or (was_idle and self._begun == begun + 1):
                self._head += len(data)
            if self._head > HEADERS:
                self._refuse(HeadersTooLarge())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun += 1
        self._head = 0
        self._enter(Phase.HEAD, self.HEAD)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and any(name in BODY_HEADERS for name, _ in self.headers):
            raise ValueError("the parser would take the body of an upgrade for the next request")
        super().on_headers_complete()
        self._drained = 0
        self._enter(Phase.BODY, self.BODY)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.__class__ = WholeCycle
        extensions: Any = {WHOLE: {}, HUNG_UP: lambda: cycle.disconnected}
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.cycle.response_complete:
            self._drained += len(body)
            if self._drained > self.DRAINED:
                self.transport.close()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._enter(Phase.BUSY, inf)
        self._rest()

    def on_response_complete(self) -> None:
        was_last = not self.pipeline
        super().on_response_complete()
        if was_last and self._phase is Phase.BODY and self.expect_100_continue:
            self.transport.close()  # it may never send the body now: what comes next could be either (RFC 9110 §10.1.1)
        self._rest()

    def _should_upgrade(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """The request is answered as if it had not asked (RFC 9110 §7.8); what follows it is not HTTP to the parser."""
        self.cycle.keep_alive = False
        self._enter(Phase.CLOSING, inf)

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed. Answers that are under way are finished first."""
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.cycle.keep_alive = False
            self._enter(Phase.CLOSING, inf)
        else:
            self._refuse(MalformedRequest())

    def _enter(self, phase: Phase, seconds: float) -> None:
        self._phase = phase
        self._due = self.loop.time() + seconds

    def _rest(self) -> None:
        """Waits for the next request, once nothing of the last one is left to receive or to answer."""
        if self._phase is Phase.BUSY and not self.pipeline and self.cycle.response_complete:
            self._enter(Phase.IDLE, self.timeout_keep_alive)

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        left = self._due - self.loop.time()
        if left <= 0:
            self._expire()
            left = self.TICK
        self._watch = self.loop.call_later(max(0.0, min(left, self.TICK)), self._look)

    def _expire(self) -> None:
        if self._phase is not Phase.HEAD:
            self.transport.close()
        elif self.cycle is None or self.cycle.response_complete:
            self._refuse(RequestTimeout())
        else:  # an earlier request is still being answered, and its answer must not be torn
            self._enter(Phase.HEAD, self.HEAD)

    def _refuse(self, problem: Problem) -> None:
        """Answers in place of the app, then closes. Only while no answer is under way."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started or self.pipeline:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._unset_keepalive_if_required()
        request_id = str(SystemRandom().id())
        ip = self.client[0] if self.client else ""
        metrics.observe("other", "none", problem.status, 0.0)
        log.info("a connection was refused", extra={"problem": problem.code, "request_id": request_id, "ip": ip})
        self.transport.write(refusal(problem, request_id, self.server_state.default_headers))
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._enter(Phase.CLOSING, self.LINGER)


def refusal(problem: Problem, request_id: str, default: list[tuple[bytes, bytes]]) -> bytes:
    """A whole answer, head and body."""
    body = json.dumps(problem.body(request_id)).encode()
    headers: list[tuple[bytes, Any]] = [
        *default,
        *security_headers(https=False, content=STRICT_CONTENT),
        NO_STORE,
        (b"x-request-id", request_id.encode()),
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    return b"".join([STATUS_LINE[problem.status], *(b"%b: %b\r\n" % header for header in headers), b"\r\n", body])
