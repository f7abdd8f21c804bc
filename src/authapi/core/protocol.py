"""uvicorn's HTTP/1.1 protocol with an eye on the clock, on what arrives before there is a request to guard, and on what
is left unread.

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
        if self.flow.write_paused and not self.disconnected:
            await self._drain()
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
        if self.disconnected or self.response_started or self.scope["method"] == "HEAD":
            return True
        for name, _ in self.default_headers:  # noqa: SIM110 - a generator costs a microsecond
            if name == b"connection":
                return True
        return False

    async def _drain(self) -> None:
        """An answer that is given up here is the last: uvicorn would put its own in its place, which waits on."""
        try:
            await self.flow.drain()
        except asyncio.CancelledError:
            self.disconnected = True
            self.transport.close()
            raise


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
    UNREAD = 20.0
    """For the client to read `READ` bytes, while writing is paused or the connection is closing; else it is cut."""
    TICK = 1.0
    READ = 64 * 1024
    PIPELINED = 16
    """Requests that may wait for the answer to an earlier one."""
    DRAINED = 1024 * 1024
    """Bytes of a body that are read although the answer has been given."""
    AROUND = 512 * 1024
    """Bytes around a body, beside it: sizes and extensions of its chunks, and trailers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begun = self._head = self._drained = self._around = 0
        self._running: RequestResponseCycle | None = None
        self._unread = self._cut = inf
        self._enter(Phase.IDLE, self.IDLE)
        self._watch = self.loop.call_later(min(self.IDLE, self.TICK), self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True  # uvicorn tells the newest one, which may still be waiting for this one
            self._running.message_event.set()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread = inf

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.CLOSING:
            return
        begun, was_idle = self._begun, self._phase is Phase.IDLE
        if self._phase is Phase.BODY:
            self._around += len(data)
        super().data_received(data)
        if self._phase is Phase.BODY:
            self.headers.clear()
            if self._around > self.AROUND:
                self._refuse(MalformedRequest())
        elif self._phase is Phase.HEAD:
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
        if len(self.pipeline) >= self.PIPELINED:
            raise ValueError("too many requests wait for an answer")
        if self.parser.should_upgrade() and any(name in BODY_HEADERS for name, _ in self.headers):
            raise ValueError("the parser would take the body of an upgrade for the next request")
        super().on_headers_complete()
        self.headers = []  # for trailers, which are nothing to go by: a proxy has not looked at them (RFC 9110 §6.5.1)
        self._drained = self._around = 0
        self._enter(Phase.BODY, self.BODY)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        cycle.__class__ = WholeCycle
        extensions: Any = {WHOLE: {}, HUNG_UP: lambda: cycle.disconnected}
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._around -= len(body)
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
        """What cannot be parsed, or is too much at once. Answers that are under way are finished first."""
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
        now, is_closing = self.loop.time(), self.transport.is_closing()
        if (is_closing or self.flow.write_paused) and self._is_left_unread(now):
            log.info("a connection was cut", extra={"ip": self.client[0] if self.client else ""})
            self.transport.abort()
            return
        left = inf if is_closing else self._due - now
        if left <= 0:
            self._expire()
            left = inf
        self._watch = self.loop.call_later(min(left, self.TICK), self._look)

    def _is_left_unread(self, now: float) -> bool:
        """Whoever reads slowly is waited for; whoever does not, only so long."""
        unread = self.transport.get_write_buffer_size()
        if unread <= self._unread - self.READ:
            self._unread, self._cut = unread, now + self.UNREAD
        return now >= self._cut

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
