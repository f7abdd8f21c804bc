"""Mail that arrives, exactly once as far as mail can; read from a real mail server."""

import asyncio
import logging
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from authapi.core.context import Context
from authapi.outbox import delivery, rules, service, store
from authapi.outbox.messages import NewDevice
from tests.conftest import Start
from tests.support.inbox import Inbox
from tests.support.outbox import ADA, CODE, TOKEN, VERIFY, put, queued, row
from tests.support.outside import MovedClock
from tests.support.people import Person
from tests.support.smtp import MailServer


async def test_a_message_arrives_with_its_link_and_its_code(ctx: Context, inbox: Inbox) -> None:
    id = await put(ctx)
    letter = await inbox.last(to=ADA)
    assert letter.subject == "Confirm your e-mail address"
    assert (letter.token, letter.code) == (TOKEN, CODE)
    assert letter.link == f"http://127.0.0.1:8000/verify#token={TOKEN}"
    assert letter.message["From"] == "Example <hello@example.com>"
    assert letter.message["Auto-Submitted"] == "auto-generated"
    assert letter.message["Message-ID"] == f"<{id}@example.com>"
    assert f'href="{letter.link}"' in letter.html
    assert CODE in letter.html
    assert "24 hours" in letter.text


async def test_it_is_sent_once_however_often_its_job_is_done(ctx: Context, inbox: Inbox) -> None:
    id = await put(ctx)
    for _ in range(3):
        assert await delivery.deliver(ctx, id.bytes) is None
    assert len(await inbox.all()) == 1


async def test_what_is_rolled_back_is_never_sent(ctx: Context, inbox: Inbox) -> None:
    before = await queued(ctx)
    async with ctx.db() as tx:
        await service.put(ctx, tx, VERIFY, to=ADA, user_id=None, locale=None)
        await tx.rollback()
    assert await queued(ctx) == before
    assert await inbox.all() == []


async def test_before_it_is_sent_the_database_has_it_sealed_and_afterwards_not_at_all(
    ctx: Context, inbox: Inbox
) -> None:
    id = await put(ctx)
    stored = await row(ctx)
    assert stored["sealed"] is not None
    assert id.bytes in await queued(ctx)
    for secret in (TOKEN, CODE):
        assert secret not in str(stored)
        assert secret.encode() not in stored["sealed"]
    await inbox.last()
    stored = await row(ctx)
    assert (stored["state"], stored["sealed"]) == ("sent", None)
    assert stored["finished_at"] is not None


async def test_one_connection_serves_many_messages(ctx: Context, inbox: Inbox, mail_server: MailServer) -> None:
    await put(ctx)
    await inbox.all()
    before = mail_server.connections
    for _ in range(5):
        await put(ctx)
    assert len(await inbox.all()) == 6
    assert mail_server.connections == before


async def test_a_connection_that_the_server_has_closed_is_made_anew(
    ctx: Context, inbox: Inbox, mail_server: MailServer
) -> None:
    await put(ctx)
    await inbox.all()
    mail_server.stop()
    mail_server.start()
    await put(ctx)
    assert len(await inbox.all()) == 2


async def test_a_server_that_is_down_for_an_hour_gets_it_after(
    ctx: Context, inbox: Inbox, mail_server: MailServer, clock: MovedClock
) -> None:
    await put(ctx)
    mail_server.stop()
    tries = 0
    for _ in range(60):
        tries += await inbox.deliver()
        clock.advance(minutes=1)
    stored = await row(ctx)
    assert (stored["state"], stored["tries"]) == ("queued", tries)
    assert stored["last_error"].startswith("SMTPConnectError")
    assert 7 <= tries <= 12  # after 10, 20, 40 … s, and a minute where this test looks only once in one
    mail_server.start()
    clock.advance(hours=1)
    assert (await inbox.last(to=ADA)).code == CODE
    assert (await row(ctx))["last_error"] is None


async def test_after_a_day_it_is_given_up_and_can_be_sent_again(
    ctx: Context, inbox: Inbox, mail_server: MailServer, clock: MovedClock, caplog: pytest.LogCaptureFixture
) -> None:
    id = await put(ctx)
    mail_server.stop()
    with caplog.at_level(logging.ERROR):
        for _ in range(25):
            await inbox.deliver()
            clock.advance(hours=1)
    stored = await row(ctx)
    assert (stored["state"], stored["sealed"] is not None) == ("failed", True)
    assert [record.message for record in caplog.records if record.name.startswith("authapi")] == [
        "a message is given up; `authapi mail retry` sends it again"
    ]
    assert TOKEN not in caplog.text
    async with ctx.single.connect() as connection:
        events = await connection.execute(text("SELECT data FROM audit_events WHERE name = 'message.failed'"))
        assert list(events.scalars()) == [{"kind": "verify_address"}]
    mail_server.start()
    assert await service.retry(ctx, [id]) == [id]
    assert await service.retry(ctx, [id]) == []
    assert (await inbox.last(to=ADA)).token == TOKEN


@pytest.mark.parametrize(
    ("rcpt", "data", "state", "reason"),
    [
        ("550 5.1.1 no such person ada@example.com", "250 OK", "failed", "SMTPRecipientRefused 550"),
        ("450 4.2.1 come back later", "250 OK", "queued", "SMTPRecipientRefused 450"),
        ("250 OK", "554 5.6.0 that is spam", "failed", "SMTPDataError 554"),
        ("250 OK", "451 4.3.0 no room", "queued", "SMTPDataError 451"),
    ],
)
async def test_what_the_server_refuses_for_good_is_not_tried_again(
    ctx: Context, inbox: Inbox, mail_server: MailServer, rcpt: str, data: str, state: str, reason: str
) -> None:
    mail_server.reply, mail_server.answer_to_data = lambda _: rcpt, data
    await put(ctx)
    await inbox.deliver()
    stored = await row(ctx)
    assert (stored["state"], stored["last_error"]) == (state, reason)
    mail_server.calm()
    await put(ctx, to="bob@example.com")
    assert (await inbox.last()).to == "bob@example.com"  # on the same connection as the refusal


async def test_a_wrong_password_is_told_and_tried_again(start: Start, mail_server: MailServer) -> None:
    ctx, _ = await start(smtp_url=SecretStr(f"smtp://authapi:wrong-password@127.0.0.1:{mail_server.port}"))
    await put(ctx)
    await Inbox(ctx, mail_server).deliver()
    stored = await row(ctx)
    assert (stored["state"], stored["last_error"]) == ("queued", "SMTPAuthenticationError 535")


async def test_what_ends_its_worker_again_and_again_is_given_up(ctx: Context, inbox: Inbox) -> None:
    id = await put(ctx)
    for _ in range(rules.MOST_DEATHS + 1):
        async with ctx.db.begin() as tx:
            await store.claim(tx, ctx.clock, id)  # and then the worker is gone
    await delivery.deliver(ctx, id.bytes)
    stored = await row(ctx)
    assert (stored["state"], stored["last_error"]) == ("failed", "WorkerDied")
    assert await inbox.all() == []


async def test_a_worker_that_is_told_to_stop_gives_the_message_back(
    ctx: Context, inbox: Inbox, mail_server: MailServer
) -> None:
    id = await put(ctx)
    mail_server.free.clear()
    sending = asyncio.create_task(delivery.deliver(ctx, id.bytes))
    assert await asyncio.to_thread(mail_server.holds.wait, 10)
    sending.cancel()
    await asyncio.wait({sending})
    assert sending.cancelled()
    stored = await row(ctx)
    assert (stored["state"], stored["deaths"]) == ("queued", 0)
    mail_server.calm()
    assert len(await inbox.all()) == 1


async def test_an_address_beyond_ascii_is_reached(ctx: Context, inbox: Inbox, mail_server: MailServer) -> None:
    await put(ctx, to="jürgen@müller.example.com")
    letter = await inbox.last()
    assert letter.to == "jürgen@xn--mller-kva.example.com"
    assert mail_server.envelopes[-1].rcpt_tos == ["jürgen@xn--mller-kva.example.com"]


async def test_nobody_gets_a_header_or_a_paragraph_into_our_mail(ctx: Context, inbox: Inbox) -> None:
    evil = "Firefox\r\nBcc: eve@example.com\n\nCall http://evil.example.com <b>now</b>"
    await put(ctx, NewDevice(evil, "203.0.113.9", datetime(2026, 11, 21, 9, 30, tzinfo=UTC)))
    letter = await inbox.last()
    assert letter.message["Bcc"] is None
    assert "<b>" not in letter.html
    assert 'href="http://evil' not in letter.html
    assert "Firefox Bcc: eve@example.com Call" in letter.text
    await put(ctx, to="ada@example.com\r\nBcc: eve@example.com")
    await inbox.deliver()
    assert (await row(ctx))["last_error"] == "ValueError"


async def test_the_metrics_tell_what_was_sent_and_what_waits(
    start: Start, mail_server: MailServer, clock: MovedClock
) -> None:
    ctx, api = await start()
    mail_server.calm()
    await put(ctx)
    await Inbox(ctx, mail_server).deliver()
    await put(ctx)
    clock.advance(minutes=2)
    metrics = (await api.get("/metrics")).text
    assert 'authapi_messages{kind="verify_address",state="sent"} 1.0' in metrics
    assert "authapi_messages_waiting 1.0" in metrics
    assert "authapi_messages_waiting_seconds 12" in metrics
    async with ctx.single.connect() as connection:
        late = "UPDATE jobs.pgqueuer SET execute_after = now() - interval '2 minutes' WHERE status = 'queued'"
        await connection.execute(text(late))
    assert "authapi_jobs_waiting_seconds 12" in (await api.get("/metrics")).text


async def test_with_a_person_their_messages_go(ada: Person, ctx: Context, inbox: Inbox) -> None:
    waiting = (await row(ctx))["id"]
    async with ctx.single.connect() as connection:
        await connection.execute(text("DELETE FROM users"))
    assert await service.latest(ctx, state=None, limit=9) == []
    assert await delivery.deliver(ctx, waiting.bytes) is None
    assert await inbox.all() == []
