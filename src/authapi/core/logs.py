"""Logging: JSON lines, or readable ones at a terminal, from structlog, the standard library and uvicorn alike."""

import asyncio
import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from pydantic_core import to_json
from structlog.processors import ExceptionRenderer, JSONRenderer, TimeStamper
from structlog.stdlib import (
    ExtraAdder,
    PositionalArgumentsFormatter,
    ProcessorFormatter,
    add_log_level,
    add_logger_name,
)
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

from authapi.core.redaction import REDACTED, clean, is_secret, redact
from authapi.core.settings import Settings

CHATTY = ("alembic", "sqlalchemy", "httpx", "httpcore", "asyncio", "opentelemetry", "urllib3")
"""At INFO or DEBUG these show URLs, parameters or rows."""

ACCESS = "authapi.access"

UNWRITTEN = (OSError, ValueError)
"""What a line raises that cannot be written: it stops nothing, as everywhere in `logging`."""

_VISIBLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {0x2028: "\\u2028", 0x2029: "\\u2029"}
_LINES = {code: text for code, text in _VISIBLE.items() if code not in (9, 10)}


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Takes over the root logger and uvicorn's, which must run with `log_config=None`. May be called again."""
    stream = stream or sys.stdout
    readable = settings.env == "development" and stream.isatty()
    start: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_logger_name,
        add_log_level,
        TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *start,
            PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(processors=_readable() if readable else _json(), foreign_pre_chain=[*start, ExtraAdder()])
    )
    _route(handler, settings)
    access.write_to(None if readable else stream)
    logging.raiseExceptions = settings.env == "development"  # what it prints of its own faults has the arguments in it
    logging.captureWarnings(True)
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = (
        False  # never shown, and one costs a syscall
    )


class AccessLog:
    """The lines of the requests, by a short way while there is a stream for them: one is written for each, and its
    values are chosen by this code, but for the id, which has been checked. The other records take the long way, where
    secrets are looked for. Those of one turn of the loop are written out together."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        self._logger = logging.getLogger(ACCESS)
        self._is_due = False

    def write_to(self, stream: TextIO | None) -> None:
        self.stream, self._is_due = stream, False

    def request(self, request_id: str, line: dict[str, str | int | float]) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return
        if self.stream is None:
            self._logger.info("%(method)s %(route)s %(status)s", line)
            return
        now = datetime.now(UTC).isoformat()
        said = {"event": "request", "request_id": request_id, "logger": ACCESS, "level": "info", "timestamp": now}
        with suppress(*UNWRITTEN):
            self.stream.write(to_json(said | line).decode() + "\n")
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._write_out)

    def _write_out(self) -> None:
        self._is_due = False
        if self.stream is not None:
            with suppress(*UNWRITTEN):
                self.stream.flush()


access = AccessLog()


def _route(handler: logging.Handler, settings: Settings) -> None:
    level = settings.log_level.upper()
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel("INFO" if level == "DEBUG" else level)
    logging.getLogger("authapi").setLevel(level)
    for name in CHATTY:
        logging.getLogger(name).setLevel("ERROR" if level == "ERROR" else "WARNING")
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)  # whoever made a uvicorn.Config before may have set one
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False


def _json() -> list[Processor]:
    exceptions = ExceptionRenderer(ExceptionDictTransformer(show_locals=False, use_rich=False))
    renderer = JSONRenderer(serializer=json.dumps, separators=(",", ":"))
    return [ProcessorFormatter.remove_processors_meta, exceptions, _redact, renderer]


def _readable() -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
    return [ProcessorFormatter.remove_processors_meta, ExceptionRenderer(), _redact, _make_visible, renderer]


def _redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn's, the same again
    return {name: REDACTED if is_secret(name) else redact(value) for name, value in event.items()}


def _make_visible(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Control characters as text, so that a value can neither start a line nor steer the terminal."""
    return {name: _visible(name, value) for name, value in event.items()}


def _visible(name: str, value: object) -> object:
    if isinstance(value, str):
        return _indent(value.translate(_LINES)) if name == "exception" else value.translate(_VISIBLE)
    return value if isinstance(value, int | float | None) else clean(repr(value)).translate(_VISIBLE)


def _indent(text: str) -> str:
    return "\n".join(f"  | {line}" for line in text.splitlines())
