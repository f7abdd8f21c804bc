"""A job that fails is tried again, later each time, and not for ever."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job

from authapi import worker
from authapi.core.context import Context

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def job(attempts: int) -> Job:
    return Job(
        id=1,
        priority=0,
        created=AT,
        updated=AT,
        heartbeat=AT,
        execute_after=AT,
        status="picked",
        entrypoint="password.forgot",
        payload=b"",
        attempts=attempts,
        queue_manager_id=None,
        headers=None,
    )


def failing(error: Exception) -> worker.Take:
    async def take(*_: object) -> None:
        raise error

    return take


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 1), (3, 8), (20, 3600)])
async def test_a_job_that_fails_waits_longer_each_time(ctx: Context, attempts: int, seconds: int) -> None:
    with pytest.raises(RetryRequested) as asked:
        await worker._taker(ctx, failing(ValueError()))(job(attempts))
    assert asked.value.delay == timedelta(seconds=seconds)


async def test_a_job_that_always_fails_is_given_up(ctx: Context, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "authapi.worker"):
        await worker._taker(ctx, failing(ValueError()))(job(worker.MOST_TRIES))
    assert [record.message for record in caplog.records] == ["a queued job is given up"]


async def test_while_the_database_is_away_no_job_is_given_up(ctx: Context) -> None:
    with pytest.raises(RetryRequested):
        await worker._taker(ctx, failing(ConnectionRefusedError()))(job(worker.MOST_TRIES))
