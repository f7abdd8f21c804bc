"""`authapi mail`, and workers that send: real processes, and a real mail server."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from authapi.core import deferred
from authapi.core.context import Context, build
from authapi.core.http import Client
from authapi.methods.password.reset import FORGOT
from authapi.outbox import service
from authapi.outbox.messages import VerifyAddress
from authapi.worker import JOBS
from tests.cli.conftest import Call, Launch, await_, sql
from tests.conftest import make_settings
from tests.support.smtp import MailServer

VERIFY = VerifyAddress("the-token", "471108", 30, "Firefox on Linux", "203.0.113.9")
STATES = "SELECT state, tries, deaths FROM messages ORDER BY id"
NOT_SENT = "SELECT 1 FROM messages WHERE state <> 'sent'"
SILENT = "UPDATE jobs.pgqueuer SET heartbeat = now() - interval '1 minute' WHERE status = 'picked'"
DUE = "UPDATE jobs.pgqueuer_schedules SET next_run = now() - interval '1 second'"
IDLE = "SELECT 1 FROM jobs.pgqueuer_schedules WHERE status <> 'queued' OR next_run <= now() OR last_run IS NULL"


@pytest.fixture
def mailing(environment: dict[str, str], mail_server: MailServer) -> dict[str, str]:
    mail_server.calm()
    return environment | {
        "AUTHAPI_SMTP_URL": mail_server.url,
        "AUTHAPI_MAIL_FROM": "Example <hello@example.com>",
        "SSL_CERT_FILE": str(mail_server.certificate),
    }


@pytest.fixture
async def outbox(own_database: str, own_redis: str, mail_server: MailServer) -> AsyncIterator[Context]:
    ctx = build(make_settings(own_database, own_redis, mail_server.url))
    yield ctx
    await ctx.close()


async def put(ctx: Context, *to: str) -> None:
    async with ctx.db.begin() as tx:
        for address in to:
            await service.put(ctx, tx, VERIFY, to=address, user_id=None, locale=None)


async def until(query: str, url: str, *, holds: bool) -> None:
    await asyncio.to_thread(await_, lambda: bool(sql(url, query)) == holds)


def arrived(server: MailServer) -> Counter[str]:
    return Counter(str(message["To"]) for message in server.received)


async def test_a_worker_killed_between_taking_and_sending_loses_nothing(
    launch: Launch, mailing: dict[str, str], outbox: Context, own_database: str, mail_server: MailServer
) -> None:
    mail_server.free.clear()
    await put(outbox, "ada@example.com")
    killed = launch("worker", environment=mailing)
    assert await asyncio.to_thread(mail_server.holds.wait, 30), killed.said()
    assert await asyncio.to_thread(killed.end, signal.SIGKILL) == -signal.SIGKILL
    assert [tuple(row) for row in await asyncio.to_thread(sql, own_database, STATES)] == [("sending", 1, 0)]
    mail_server.free.set()
    await asyncio.to_thread(sql, own_database, SILENT)
    other = launch("worker", environment=mailing)
    await until(NOT_SENT, own_database, holds=False)
    assert await asyncio.to_thread(other.end) == 0, other.said()
    assert arrived(mail_server) == {"ada@example.com": 1}
    assert [tuple(row) for row in await asyncio.to_thread(sql, own_database, STATES)] == [("sent", 2, 1)]
    assert "the-token" not in killed.said() + other.said()


async def test_what_could_not_be_sent_is_sent_by_the_next_worker(
    launch: Launch, mailing: dict[str, str], outbox: Context, own_database: str, mail_server: MailServer
) -> None:
    mail_server.stop()
    await put(outbox, "ada@example.com")
    first = launch("worker", environment=mailing)
    put_off = "SELECT 1 FROM jobs.pgqueuer WHERE status = 'queued' AND execute_after > now() + interval '5 seconds'"
    await until(put_off, own_database, holds=True)
    assert await asyncio.to_thread(first.end) == 0
    assert [tuple(row) for row in await asyncio.to_thread(sql, own_database, STATES)] == [("queued", 1, 0)]
    mail_server.start()
    await asyncio.to_thread(sql, own_database, "UPDATE jobs.pgqueuer SET execute_after = now()")
    second = launch("worker", environment=mailing)
    await until(NOT_SENT, own_database, holds=False)
    assert await asyncio.to_thread(second.end) == 0
    assert arrived(mail_server) == {"ada@example.com": 1}
    assert "Traceback" not in first.said() + second.said()


async def test_a_mail_server_that_hangs_holds_up_nothing_else(
    launch: Launch, mailing: dict[str, str], outbox: Context, own_database: str, mail_server: MailServer
) -> None:
    first = launch("worker", environment=mailing)  # puts the schedules into the database
    await until(f"SELECT 1 FROM jobs.pgqueuer_schedules HAVING count(*) = {len(JOBS)}", own_database, holds=True)
    assert await asyncio.to_thread(first.end) == 0
    people = [f"person-{number}@example.com" for number in range(30)]
    mail_server.free.clear()
    await put(outbox, *people)
    await asyncio.to_thread(sql, own_database, DUE)
    worker = launch("worker", environment=mailing)
    assert await asyncio.to_thread(mail_server.holds.wait, 30)
    await until(IDLE, own_database, holds=False)
    async with outbox.db.begin() as tx:
        await deferred.put_off(outbox, tx, FORGOT, Client("", ""), {"email_key": "nobody@example.com"})
    await until(f"SELECT 1 FROM jobs.pgqueuer WHERE entrypoint = '{FORGOT}'", own_database, holds=False)
    assert mail_server.received == []
    mail_server.free.set()
    await until(NOT_SENT, own_database, holds=False)
    assert await asyncio.to_thread(worker.end) == 0
    assert arrived(mail_server) == dict.fromkeys(people, 1)


async def test_failed_messages_are_listed_and_sent_again(
    call: Call,
    launch: Launch,
    mailing: dict[str, str],
    outbox: Context,
    own_database: str,
    mail_server: MailServer,
) -> None:
    mail_server.reply = lambda address: "550 no" if address.startswith("ada") else "250 OK"
    await put(outbox, "ada@example.com", "bob@example.com", "ada.too@example.com")
    worker = launch("worker", environment=mailing)
    await until("SELECT 1 FROM messages WHERE finished_at IS NULL", own_database, holds=False)

    async def run(*arguments: str) -> tuple[int, list[str]]:
        outcome = await asyncio.to_thread(call, "mail", *arguments, environment=mailing)
        assert outcome.stderr == "" or outcome.returncode == 2
        return outcome.returncode, outcome.stdout.splitlines()

    code, lines = await run("list", "--state", "failed")
    assert code == 0
    assert [line.split()[1:5] for line in lines] == [
        ["kind", "to", "state", "tries"],
        ["verify_address", "ada.too@example.com", "failed", "1"],
        ["verify_address", "ada@example.com", "failed", "1"],
    ]
    assert all(line.endswith("SMTPRecipientRefused 550") for line in lines[1:])
    assert len((await run("list"))[1]) == 4
    assert await run("list", "--state", "queued") == (0, ["There are none."])
    mail_server.calm()
    ada = lines[2].split()[0]
    assert await run("retry", ada) == (0, [f"{ada}  queued"])
    await until(f"{NOT_SENT} AND id = '{ada}'", own_database, holds=False)
    assert await run("retry", ada) == (1, [f"{ada}  has not failed, or its text is gone"])
    assert await run("retry", "--failed") == (0, ["1 queued again."])
    await until(NOT_SENT, own_database, holds=False)
    assert await asyncio.to_thread(worker.end) == 0
    assert arrived(mail_server) == {"ada@example.com": 1, "ada.too@example.com": 1}
    assert (await run("retry"))[0] == (await run("retry", ada, "--failed"))[0] == 2


def test_production_needs_a_way_out_for_mail(call_alone: Call, mailing: dict[str, str]) -> None:
    production = mailing | {"AUTHAPI_ENV": "production", "AUTHAPI_PUBLIC_URL": "https://auth.example.com"}
    del production["AUTHAPI_SMTP_URL"]
    run = call_alone("serve", environment=production)
    assert (run.returncode, run.stdout) == (2, "")
    (sentence,) = run.stderr.splitlines()[1:]
    assert "AUTHAPI_SMTP_URL and AUTHAPI_MAIL_FROM must be set in production" in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "http://authapi:hidden@example.com"),
        ("SMTP_URL", "smtp://"),
        ("MAIL_FROM", "hello@example.com\nBcc: eve@example.com"),
        ("MAIL_FROM", "nobody"),
        ("LINK_URL", "javascript:alert(1)"),
    ],
)
def test_what_cannot_send_mail_stops_the_start(call: Call, mailing: dict[str, str], name: str, value: str) -> None:
    run = call("mail", "list", environment=mailing | {f"AUTHAPI_{name}": value})
    assert run.returncode == 2
    assert f"AUTHAPI_{name}" in run.stderr
    assert "hidden" not in run.stderr
