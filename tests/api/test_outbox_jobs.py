"""What is done about messages and old jobs from time to time."""

from datetime import timedelta

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
