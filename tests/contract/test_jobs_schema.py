"""The frozen schema of pgqueuer is the one that the installed pgqueuer wants."""

import re
from uuid import UUID

import asyncpg
import pytest
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.db import AsyncpgDriver
from sqlalchemy import text

from authapi.core import pgqueue, queue
from authapi.core.context import Context
from authapi.outbox import service
from tests.support.outbox import put

JOBS, LOG = pgqueue.NAMES.qualified.queue_table, pgqueue.NAMES.qualified.queue_table_log
ITS_OWN = ("id", "created", "updated", "heartbeat", "execute_after")


async def test_the_installed_pgqueuer_would_change_nothing(postgres_url: str) -> None:
    """Where this fails after an update of pgqueuer, its statements belong in a new migration."""
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    try:
        plan = await pgqueue.queries(AsyncpgDriver(connection)).plan_upgrade()
    finally:
        await connection.close()
    assert (plan.statements, plan.notes) == ((), ())


def test_jobs_are_put_by_pgqueuers_own_statement() -> None:
    """But for comments, white space and its last part. Where this fails after an update, `queue.JOBS` follows."""
    theirs = re.sub("--.*", "", QueryQueueBuilder(pgqueue.NAMES).build_enqueue_query("skip")).rpartition("SELECT")[0]
    ours = "WITH" + queue.JOBS.format(*(f"${n}" for n in range(1, 7)))
    assert re.sub(r"\s", "", ours) == re.sub(r"\s", "", theirs)


async def test_a_job_that_comes_with_its_message_is_as_pgqueuer_would_put_it(ctx: Context) -> None:
    """Every column but the number, and what is written of it in the log."""
    ids = [await put(ctx), UUID(int=7)]
    async with ctx.db.begin() as tx:
        await service.enqueue(tx, ids[1])
    async with ctx.db() as tx:
        jobs = [dict(each) for each in (await tx.execute(text(f"SELECT * FROM {JOBS} ORDER BY id"))).mappings()]
        logs = await tx.execute(text(f"SELECT status, priority, entrypoint FROM {LOG} ORDER BY id DESC LIMIT 2"))
    logged = [tuple(each) for each in logs]
    assert [(each.pop("payload"), each.pop("dedupe_key")) for each in jobs] == [
        (id.bytes, f"mail.deliver {id}") for id in ids
    ]
    alike = [{name: value for name, value in each.items() if name not in ITS_OWN} for each in jobs]
    assert alike[0] == alike[1]
    assert {"status", "priority", "entrypoint", "headers", "attempts"} < set(alike[0])
    assert all(each["execute_after"] == each["created"] for each in jobs)
    assert logged[0] == logged[1] == ("queued", 0, "mail.deliver")


async def test_without_a_message_there_is_no_job(ctx: Context) -> None:
    none = queue.enqueued("nobody", "mail.deliver", payload="'x'::bytea", dedupe_key="'x'")
    async with ctx.db.begin() as tx:
        await tx.execute(text(f"WITH nobody AS (SELECT WHERE false), {none} SELECT id FROM inserted"))
        assert (await tx.scalars(text(f"SELECT count(*) FROM {JOBS}"))).one() == 0


def test_no_variable_of_the_environment_renames_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHANNEL", "SCHEDULES_TABLE", "PGQUEUER_PREFIX", "PGQUEUER_SCHEMA"):
        monkeypatch.setenv(name, "other")
    assert pgqueue.Names(db_schema="jobs").channel == "ch_pgqueuer"
    assert pgqueue.Names(db_schema="jobs").qualified.schedules_table == "jobs.pgqueuer_schedules"
