"""What is done about messages and old jobs from time to time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text

from authapi.core import pgqueue
from authapi.core.context import Context
from authapi.outbox import delivery, jobs, service
from tests.support.inbox import Inbox
from tests.support.outbox import put, queued, row
from tests.support.outside import MovedClock
from tests.support.smtp import MailServer


async def test_a_message_whose_job_was_lost_is_queued_again_once(ctx: Context, clock: MovedClock) -> None:
    id = await put(ctx)
    async with ctx.single.connect() as connection:
        await connection.execute(text("DELETE FROM jobs.pgqueuer"))
    for _ in range(2):
        await jobs.requeue(ctx)
        assert await queued(ctx) == [id.bytes]
    await delivery.deliver(ctx, id.bytes)
    async with ctx.single.connect() as connection:
        await connection.execute(text("DELETE FROM jobs.pgqueuer"))
    clock.advance(hours=1)
    await jobs.requeue(ctx)
    assert await queued(ctx) == []


async def test_old_messages_are_deleted_and_the_texts_of_failed_ones_before(
    ctx: Context, inbox: Inbox, mail_server: MailServer, clock: MovedClock
) -> None:
    await put(ctx)
    await inbox.deliver()
    mail_server.reply = lambda _: "550 never"
    id = await put(ctx)
    await inbox.deliver()
    clock.advance(days=8)
    await jobs.purge(ctx)
    assert (await row(ctx))["sealed"] is None
    assert await service.retry(ctx, [id]) == []
    assert len(await service.latest(ctx, state=None, limit=9)) == 2
    clock.advance(days=23)
    await jobs.purge(ctx)
    assert await service.latest(ctx, state=None, limit=9) == []


async def test_more_texts_than_a_batch_are_wiped(
    ctx: Context, inbox: Inbox, mail_server: MailServer, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    mail_server.reply = lambda _: "550 never"
    for _ in range(5):
        await put(ctx)
    await inbox.deliver()
    clock.advance(days=8)
    await jobs.purge(ctx)
    assert [message.sealed for message in await service.latest(ctx, state="failed", limit=9)] == [None] * 5


async def test_old_messages_are_deleted_also_where_no_text_can_be_wiped(
    ctx: Context,
    inbox: Inbox,
    mail_server: MailServer,
    clock: MovedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await put(ctx)
    await inbox.deliver()
    clock.advance(days=23)
    mail_server.reply = lambda _: "550 never"
    await put(ctx)
    await inbox.deliver()
    clock.advance(days=8)
    async with refused(ctx):
        await jobs.purge(ctx)
    last = caplog.records[-1]
    assert (last.levelname, last.message) == ("ERROR", "the texts of messages that failed cannot be wiped")
    assert [message.state for message in await service.latest(ctx, state=None, limit=9)] == ["failed"]
    assert (await row(ctx))["sealed"] is not None


@asynccontextmanager
async def refused(ctx: Context) -> AsyncIterator[None]:
    """No message can be changed, as long as the block lasts."""
    body = "BEGIN RAISE EXCEPTION 'canceling statement' USING ERRCODE = 'query_canceled'; END"
    async with ctx.db.begin() as tx:
        await tx.execute(text(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"))
        each = "BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION refuse()"
        await tx.execute(text(f"CREATE TRIGGER tg_refuse {each}"))
    try:
        yield
    finally:
        async with ctx.db.begin() as tx:
            await tx.execute(text("DROP FUNCTION refuse CASCADE"))


async def test_the_queue_forgets_old_jobs(ctx: Context) -> None:
    async with ctx.db.begin() as tx:
        await tx.execute(text("DELETE FROM jobs.pgqueuer_log"))
        log = """
            INSERT INTO jobs.pgqueuer_log (job_id, created, status, priority, entrypoint)
            SELECT number, now() - CAST(:age AS interval), 'successful', 0, 'x'
              FROM generate_series(1, :number) AS number
        """
        for age, number in ((8, 2 * pgqueue.BATCH + 1), (6, 3)):
            await tx.execute(text(log), {"age": timedelta(days=age), "number": number})
    await pgqueue.purge(ctx)
    async with ctx.single.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM jobs.pgqueuer_log")) == 3
