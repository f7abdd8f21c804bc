"""No password and no token in logs, tables, Redis, metrics or answers of a whole run; none compared with `==`."""

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

import httpx
import pytest
import structlog
from redis.asyncio import Redis
from sqlalchemy import text

from authapi.core import logs, metrics
from authapi.core.context import Context
from authapi.core.settings import Settings
from tests.conftest import SECRET, Start
from tests.support.browsers import open_browser
from tests.support.contract import leaks, letters, story
from tests.support.contract.habits import compared
from tests.support.contract.source import SOURCE, plant
from tests.support.inbox import Inbox, Letter
from tests.support.outside import MovedClock
from tests.support.people import PREFIX
from tests.support.smtp import MailServer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[io.StringIO, Terminal], ids=["json", "terminal"])
def log(request: pytest.FixtureRequest, settings: Settings) -> Iterator[io.StringIO]:
    """Everything that is logged, down to the least level, in either form."""
    stream: io.StringIO = request.param()
    root = logging.getLogger()
    names = ["authapi", *logs.CHATTY, "uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access"]
    before = [(each, each.handlers, each.level, each.propagate) for each in (root, *map(logging.getLogger, names))]
    raising, lines = logging.raiseExceptions, logs.access.stream
    logs.configure(settings.model_copy(update={"log_level": "debug"}), stream)
    yield stream
    logs.access.stream = lines
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)
    structlog.reset_defaults()


@dataclass
class Run:
    ctx: Context
    api: httpx.AsyncClient
    log: io.StringIO
    replies: list[httpx.Response]
    letters: list[Letter]

    def secrets(self) -> dict[str, str]:
        chosen = story.SECRETS | letters.SECRETS | {"the root secret": SECRET}
        return chosen | leaks.issued(self.replies) | letters.tokens(self.letters)

    async def places(self) -> dict[str, str]:
        told = leaks.answers(self.replies) | {"the log": self.log.getvalue()}
        stored = await leaks.tables(self.ctx) | await leaks.dump(self.ctx) | await leaks.redis(self.ctx)
        return told | stored | await leaks.metrics(self.api)


@pytest.fixture
async def run(start: Start, log: io.StringIO, clock: MovedClock, mail_server: MailServer) -> Run:
    ctx, api = await start()
    replies: list[httpx.Response] = []

    async def heard(reply: httpx.Response) -> None:
        await reply.aread()
        replies.append(reply)

    api.event_hooks["response"].append(heard)
    await story.tell(ctx, api, clock)
    mail_server.calm()
    async with open_browser(ctx, "http://test") as browser:
        browser.event_hooks["response"].append(heard)
        received = await letters.tell(api, browser, Inbox(ctx, mail_server))
    return Run(ctx, api, log, replies, received)


async def test_no_secret_of_a_whole_run_is_anywhere(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    places = await run.places()
    assert {reply.status_code for reply in run.replies} >= {200, 201, 204, 400, 401, 404, 409, 413, 415, 422, 500}
    assert len(run.secrets()) > 60
    assert len(letters.tokens(run.letters)) >= 6
    assert len(letters.codes(run.letters)) >= 2
    assert "violates check constraint" in places["the log"]
    output = capfd.readouterr()
    places |= {"stdout": output.out, "stderr": output.err}
    assert leaks.found(run.secrets(), places) == []
    assert leaks.codes_found(letters.codes(run.letters), places) == []


async def test_no_hash_of_a_password_leaves_its_table(run: Run) -> None:
    places = await run.places()
    found = leaks.found({"a hash": "$argon2"}, places)
    assert found == ["a hash is in table public.passwords", "a hash is in the dump"]


async def test_nothing_of_a_key_is_stored_unsealed(run: Run) -> None:
    secrets = {f"key {key.kid}": key.der().hex() for key in run.ctx.keyring._keys.values()}
    assert len(secrets) == 2
    assert leaks.found(secrets, await run.places()) == []


async def test_a_secret_is_found_wherever_it_comes_to_rest(run: Run) -> None:
    """So none of the places is overlooked."""
    token = next(token for token in leaks.issued(run.replies).values() if token.startswith("rt_"))
    hints = "UPDATE audit_events SET data = jsonb_build_object('hint', CAST(:hint AS text))"
    code = next(iter(letters.codes(run.letters).values()))
    logging.getLogger("authapi.planted").info("somebody typed %s and the code %s", story.RIGHT, code)
    async with run.ctx.db.begin() as tx:
        await tx.execute(text("SET LOCAL session_replication_role = replica"))
        await tx.execute(text(hints), {"hint": story.ODD})
        await tx.execute(text("UPDATE sessions SET salt = :salt"), {"salt": token.encode()})
    async with Redis.from_url(run.ctx.settings.redis_url) as redis:
        await redis.hset("planted", story.ODD, story.WRONG)
    metrics.LIMITED.labels(story.HEADER).inc()
    found = leaks.found(run.secrets(), await run.places())
    metrics.LIMITED.remove(story.HEADER)
    assert "the password is in the log" in found
    assert "a password in an odd place is in table public.audit_events" in found
    assert "a password in an odd place is in the dump" in found
    assert "the log" in str(leaks.codes_found(letters.codes(run.letters), {"the log": run.log.getvalue()}))
    assert "refresh_token of the 4. answer is in table public.sessions" in found
    assert "a password in an odd place is in redis" in found
    assert "a wrong password is in redis" in found
    assert "a secret in a header is in metrics" in found


def test_a_token_outside_the_field_that_issues_it_is_found() -> None:
    request = httpx.Request("POST", f"http://test{PREFIX}/login")
    tokens = {"access_token": "eyJh.eyJz.c2lnbmF0dXJl", "refresh_token": "rt_AQEB"}
    good = httpx.Response(200, json=tokens, request=request)
    bad = httpx.Response(200, json=tokens | {"hint": "rt_AQEB"}, headers={"X-Hint": "c2lnbmF0dXJl"}, request=request)
    echo = httpx.Response(401, json={"detail": "rt_AQEB"}, request=request)
    place = f"POST {PREFIX}/login"
    assert leaks.found(leaks.issued([good]), leaks.answers([good])) == []
    assert leaks.found(leaks.issued([bad]), leaks.answers([bad])) == [
        f"access_token of the 1. answer is in 1. {place} (200)",
        f"refresh_token of the 1. answer is in 1. {place} (200)",
        f"signature of access_token of the 1. answer is in 1. {place} (200)",
    ]
    assert leaks.found(leaks.issued([good]), leaks.answers([echo])) == [
        f"refresh_token of the 1. answer is in 1. {place} (401)"
    ]


@pytest.mark.parametrize("coat", [repr(story.ODD), story.ODD.encode().hex(), quote_plus(story.ODD), story.ODD[:12]])
def test_a_secret_in_another_coat_is_found(coat: str) -> None:
    assert leaks.found({"it": story.ODD}, {"here": coat}) == ["it is in here"]


def test_no_secret_is_compared_in_a_time_that_tells() -> None:
    assert compared(SOURCE) == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("token == presented", "token"),
        ("if row.token_hash != given: pass", "token_hash"),
        ("digest(given) == stored", "digest"),
        ("given == mac(key, message)[:16]", "mac"),
        ("body['otp'] == code", "otp"),
        ("h.hexdigest() == given", "hexdigest"),
    ],
)
def test_a_secret_that_is_compared_is_found(tmp_path: Path, line: str, named: str) -> None:
    harmless = "select(Password).where(Password.hash == old)\nmachine == 1\nsame(token, given)\ntoken is None\n"
    found = compared(plant(tmp_path, {"users/service.py": harmless + line}), {})
    assert found == [f"users/service.py:5 compares {named} with ==: use core.secrets.same"]
