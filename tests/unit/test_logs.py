"""What a log line shows, and what it never does."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import pytest
import structlog
import uvicorn
from sqlalchemy.exc import IntegrityError
from structlog.contextvars import bound_contextvars

from authapi.core import logs
from authapi.core.redaction import clean, is_secret
from authapi.core.settings import Settings

TOKEN = "rt_" + "aB3-_" * 8
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def configure(stream: TextIO, **values: Any) -> None:
    required: dict[str, Any] = {
        "env": "production",
        "public_url": "https://auth.example.com",
        "database_url": "postgresql://x@127.0.0.1/x",
        "redis_url": "redis://127.0.0.1/0",
        "secret": "x" * 40,
        "smtp_url": "smtps://mail.example.com",
        "mail_from": "authapi@example.com",
    }
    logs.configure(Settings(_env_file=None, **required | values), stream)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    names = ["authapi", *logs.CHATTY, "uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access"]
    loggers = [root, *map(logging.getLogger, names)]
    before = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    raising, stream = logging.raiseExceptions, logs.access.stream
    yield
    logs.access.stream = stream
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    configure(stream)
    return stream


@pytest.fixture
def terminal() -> Terminal:
    stream = Terminal()
    configure(stream, env="development")
    return stream


def one(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_both_kinds_of_logger_write_one_json_line_with_the_request_id(lines: io.StringIO) -> None:
    with bound_contextvars(request_id="r1"):
        structlog.get_logger("authapi.a").info("hello", count=1)
        logging.getLogger("authapi.b").warning("hello %s", "ada", extra={"count": 2})
    first, second = map(json.loads, lines.getvalue().splitlines())
    assert (first["event"], first["count"], first["logger"], first["level"]) == ("hello", 1, "authapi.a", "info")
    assert (second["event"], second["count"]) == ("hello ada", 2)
    assert (second["logger"], second["level"]) == ("authapi.b", "warning")
    assert first["request_id"] == second["request_id"] == "r1"
    assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "name",
    [
        *("password", "new_password", "Authorization", "set-cookie", "code", "key"),
        *("refresh_token", "client_secret", "x-api-key"),
    ],
)
def test_secrets_are_redacted_by_name_at_any_depth(name: str, lines: io.StringIO) -> None:
    structlog.get_logger("authapi").info("x", **{name: "hunter2"}, deep={"list": [{name: "hunter2"}]})
    logging.getLogger("authapi").info("x", extra={name: "hunter2", "deep": [({name: b"hunter2"},)]})
    assert "hunter2" not in lines.getvalue()
    assert lines.getvalue().count("[redacted]") == 4


def test_harmless_names_are_shown() -> None:
    assert not any(map(is_secret, ("status_code", "token_type", "route", "user_id", "keyring", "event", "exception")))


def test_tokens_are_redacted_by_their_look(lines: io.StringIO) -> None:
    extra = {"header": f"Bearer {JWT}", "deep": [{"x": f"'{TOKEN}'\n"}]}
    logging.getLogger("authapi").info("got %s", TOKEN, extra=extra)
    assert TOKEN not in lines.getvalue()
    assert JWT[:30] not in lines.getvalue()
    shown = one(lines)
    assert shown["event"] == "got [redacted]"
    assert shown["header"] == "Bearer [redacted]"


def test_ordinary_names_are_not_taken_for_tokens() -> None:
    for text in ("/srv/authapi/start_something.py", "alert_me", "authapi.support_desk.x", "key (a.b) eyJ", "v1.2.3"):
        assert clean(text) == text
    assert clean("x" * 50_000 + "eyJ" * 20_000) == "x" * 50_000 + "eyJ" * 20_000


def test_an_exception_is_shown_without_locals(lines: io.StringIO) -> None:
    try:
        hidden = "hunter" + "2"
        raise ZeroDivisionError(f"with {TOKEN}" if hidden else "")
    except ZeroDivisionError as error:
        logging.getLogger("authapi").error("failed", exc_info=error)
        structlog.get_logger("authapi").exception("failed")
    assert "hunter2" not in lines.getvalue()
    assert TOKEN not in lines.getvalue()
    for line in lines.getvalue().splitlines():
        (shown,) = json.loads(line)["exception"]
        assert shown["exc_type"] == "ZeroDivisionError"
        assert shown["frames"][-1]["name"] == "test_an_exception_is_shown_without_locals"
        assert "locals" not in shown["frames"][-1] or shown["frames"][-1]["locals"] is None


def test_the_row_that_postgres_quotes_is_not_shown(lines: io.StringIO) -> None:
    cause = Exception("duplicate key\nDETAIL:  Key (email)=(ada@example.com) already exists.")
    error = IntegrityError("INSERT INTO users", {"email": "ada@example.com"}, cause, hide_parameters=True)
    logging.getLogger("authapi").error("failed", exc_info=error)
    assert "ada@example.com" not in lines.getvalue()
    assert "INSERT INTO users" in lines.getvalue()


def test_no_value_can_start_a_line_of_its_own(lines: io.StringIO) -> None:
    logging.getLogger("authapi").info("a\r\nb", extra={"x": "c\n{}\x1b[2J"})
    assert one(lines)["event"] == "a\r\nb"
    assert "\x1b" not in lines.getvalue()


def test_neither_can_it_at_a_terminal(terminal: Terminal) -> None:
    structlog.get_logger("authapi").info("a\r\nb", x="c\n\x1b[2J\x9b", nested={"y": "d\ne"})
    assert terminal.getvalue().count("\n") == 1
    assert "\r" not in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue()
    assert "\x9b" not in terminal.getvalue()


def test_a_terminal_shows_exceptions_without_locals_and_indented(terminal: Terminal) -> None:
    try:
        hidden = "hunter" + "2"
        raise ZeroDivisionError("forged\n2026 [info] line" if hidden else "")
    except ZeroDivisionError:
        structlog.get_logger("authapi").exception("failed")
    assert "hunter2" not in terminal.getvalue()
    assert "\n  | 2026 [info] line" in terminal.getvalue()
    assert "\n2026" not in terminal.getvalue()


REQUEST: dict[str, str | int | float] = {
    "method": "GET",
    "route": "/x",
    "status": 200,
    "milliseconds": 1.5,
    "ip": "::1",
}


async def test_a_request_is_one_json_line(lines: io.StringIO) -> None:
    logs.access.request("r1", REQUEST)
    line = one(lines)
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {"event": "request", "request_id": "r1", "logger": "authapi.access", "level": "info"} | REQUEST


async def test_requests_of_one_turn_are_written_out_together(tmp_path: Path) -> None:
    written: list[int] = []
    with (tmp_path / "log").open("w") as stream:
        configure(stream)
        for _ in range(2):
            logs.access.request("r1", REQUEST)
            logs.access.request("r2", REQUEST)
            written.append((tmp_path / "log").read_text().count("\n"))
            await asyncio.sleep(0)
        found = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["request_id"] for line in found] == ["r1", "r2"] * 2
    assert written == [0, 2]


def test_requests_are_not_logged_below_their_level() -> None:
    stream = io.StringIO()
    configure(stream, log_level="warning")
    logs.access.request("r1", REQUEST)
    assert stream.getvalue() == ""


def test_a_request_is_readable_at_a_terminal(terminal: Terminal) -> None:
    logs.access.request("r1", REQUEST)
    assert "GET /x 200" in terminal.getvalue()


async def test_a_log_that_cannot_be_written_breaks_nothing(lines: io.StringIO) -> None:
    failed: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    lines.close()
    logs.access.request("r1", REQUEST)
    await asyncio.sleep(0)
    assert failed == []


def test_uvicorn_goes_the_same_way_and_has_no_access_log(lines: io.StringIO) -> None:
    uvicorn.Config(app="x:y", log_config=None)
    logging.getLogger("uvicorn.error").info("Started %d", 7, extra={"color_message": "Started [36m%d[0m"})
    logging.getLogger("uvicorn.access").info("GET /?token=hunter2")
    assert not logging.getLogger("uvicorn.access").propagate
    shown = one(lines)
    assert shown["event"] == "Started 7"
    assert "color_message" not in shown


def test_debug_does_not_open_the_mouths_of_libraries() -> None:
    stream = io.StringIO()
    configure(stream, log_level="debug")
    for name in ("sqlalchemy.engine", "httpx", "some.library"):
        logging.getLogger(name).debug("hunter2")
    logging.getLogger("httpx").info("GET https://x/?code=hunter2")
    logging.getLogger("authapi.x").debug("hello")
    assert one(stream)["event"] == "hello"


def test_objects_are_shown_only_where_their_text_is_known_to_be_harmless(lines: io.StringIO) -> None:
    class Person:
        def __repr__(self) -> str:
            return "Person(password='hunter2')"

    logging.getLogger("authapi").info("x", extra={"who": Person(), "id": UUID(int=0)})
    assert (one(lines)["who"], one(lines)["id"]) == ("<Person>", str(UUID(int=0)))
