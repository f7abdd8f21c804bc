"""The worker: what is done at set times, and what others have queued, each time by one of all workers."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

import asyncpg
from pgqueuer.applications import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job as QueuedJob

from authapi.addresses import change, verification
from authapi.audit import jobs as audit
from authapi.codes import jobs as codes
from authapi.core import db, deferred, pgqueue
from authapi.core.context import Context
from authapi.methods.password import registration, reset
from authapi.outbox import delivery
from authapi.outbox import jobs as mail
from authapi.outbox.store import DELIVER
from authapi.sessions import denylist, jobs, pulse
from authapi.signin import departure
from authapi.signin import jobs as sign_ins

CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0
STEADY = 60.0
"""Seconds of work after which the next failure counts as a first one."""

BATCH, AT_ONCE = 10, 20
"""Queued jobs that a worker takes with one statement, and that it has in hand at most. What is done at set times is not
counted."""

HEARTBEAT_TIMEOUT, POLL = timedelta(seconds=10), timedelta(seconds=5)
"""The jobs of a worker that has been silent for so long are done by another one, which looks for them so often."""

LONGEST_WAIT = timedelta(hours=1)
MOST_TRIES = 36
"""About a day: what has failed so often, through no fault of the database, is given up, or it would go on for ever."""

GRACE = 15.0
"""Seconds that jobs under way may still take when the worker shall stop; then they are broken off."""

log = logging.getLogger(__name__)


class Lost(Exception):
    """The connection to Postgres has ended."""


@dataclass(frozen=True, slots=True)
class Job:
    """`schedule` is a cron line in UTC. `run` must be idempotent: where a worker dies, another one runs it again."""

    name: str
    schedule: str
    run: Callable[[Context], Awaitable[None]]


JOBS = (
    Job("sessions.purge", "*/10 * * * *", jobs.purge),
    Job("keys.maintain", "* * * * *", jobs.maintain_keys),
    Job("sign_ins.purge", "15 * * * *", sign_ins.purge),
    Job("mail.requeue", "* * * * *", mail.requeue),
    Job("mail.purge", "20 * * * *", mail.purge),
    Job("users.erase", "*/10 * * * *", departure.erase),
    Job("users.dismiss_unverified", "30 * * * *", departure.dismiss_unverified),
    Job("codes.purge", "50 * * * *", codes.purge),
    Job("queue.purge", "40 * * * *", pgqueue.purge),
    Job("audit.seal", "* * * * *", audit.seal),
    Job("audit.retain", "*/10 * * * *", audit.retain),
)

Take: TypeAlias = Callable[[Context, bytes, int], Awaitable[timedelta | None]]

QUEUES: Mapping[str, Take] = {
    DELIVER: delivery.deliver,
    denylist.PUBLISH: jobs.publish,
    registration.REGISTER: deferred.taken_up(registration.REGISTER, registration.register),
    reset.FORGOT: deferred.taken_up(reset.FORGOT, reset.send),
    verification.RESEND: deferred.taken_up(verification.RESEND, verification.send_again),
    change.CHANGE: deferred.taken_up(change.CHANGE, change.begin),
}
"""By the name under which jobs are queued: gets the payload and the id of the job, and returns after how long it must
be done again, or None when it is done. It runs again where a worker dies or where it raises: it must be idempotent."""

IN_HAND: Mapping[str, int] = {DELIVER: 10}
"""How many jobs of a queue all workers together have in hand at most, so that a mail server that hangs leaves room."""


async def run(ctx: Context) -> None:
    """Works until SIGTERM or SIGINT, through restarts of Postgres. Raises what the database raises at the start."""
    stop = asyncio.Event()
    with _signals(stop):
        async with pulse.beating(ctx):
            log.info("the worker has started", extra={"jobs": [job.name for job in JOBS]})
            await _keep_working(ctx, stop)
            log.info("the worker has stopped")


async def _keep_working(ctx: Context, stop: asyncio.Event) -> None:
    now = asyncio.get_running_loop().time
    pause = FIRST_PAUSE
    while not stop.is_set():
        began = now()
        try:
            await _work(ctx, stop)
        except Exception as error:
            pause = FIRST_PAUSE if now() - began > STEADY else min(pause * 2, LONGEST_PAUSE)
            _tell(error, "the worker has no database and tries again", seconds=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause * (1 + ctx.random.fraction()))


async def _work(ctx: Context, stop: asyncio.Event) -> None:
    """On one connection, until it ends (raises Lost, or what pgqueuer raises) or the worker shall stop."""
    connection = await _connect(ctx)
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    driver = AsyncpgDriver(connection)
    worker = PgQueuer(driver, pgqueue.NAMES.channel, queries=pgqueue.queries(driver))
    _enlist(worker, ctx)
    working = asyncio.create_task(
        worker.run(
            dequeue_timeout=POLL,
            batch_size=BATCH,
            max_concurrent_tasks=AT_ONCE,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            shutdown_on_listener_failure=True,
        )
    )
    waiting = [asyncio.create_task(event.wait()) for event in (stop, lost)]
    try:
        await asyncio.wait({working, *waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done() and not lost.is_set():
            worker.shutdown.set()
            await asyncio.wait({working}, timeout=GRACE)
        if working.done():
            working.result()
    finally:
        for task in waiting:
            task.cancel()
        await _end(working)
        connection.terminate()
    if not stop.is_set():
        raise Lost()


def _enlist(worker: PgQueuer, ctx: Context) -> None:
    for job in JOBS:
        worker.schedule(job.name, job.schedule, accepts_context=False)(_performer(ctx, job))
    for name, take in QUEUES.items():
        limit = IN_HAND.get(name, 0)
        worker.entrypoint(name, concurrency_limit=limit, accepts_context=False)(_taker(ctx, take))


def _taker(ctx: Context, take: Take) -> Callable[[QueuedJob], Awaitable[None]]:
    async def perform(job: QueuedJob) -> None:
        try:
            wait = await take(ctx, job.payload or b"", job.id)
        except Exception as error:
            if job.attempts >= MOST_TRIES and not db.is_unavailable(error):
                log.error("a queued job is given up", exc_info=error, extra={"job": job.entrypoint, "id": job.id})
                return
            wait = min(timedelta(seconds=2 ** min(job.attempts, 16)), LONGEST_WAIT)
            _tell(error, "a queued job failed and is tried again", job=job.entrypoint, seconds=wait.total_seconds())
        if wait is not None:
            raise RetryRequested(wait)

    return perform


def _performer(ctx: Context, job: Job) -> Callable[[Any], Awaitable[None]]:
    now = asyncio.get_running_loop().time

    async def perform(_: Any) -> None:
        began = now()
        try:
            await job.run(ctx)
        except Exception as error:
            _tell(error, "a job failed and is tried again at its next time", job=job.name)
        else:
            log.debug("a job is done", extra={"job": job.name, "seconds": round(now() - began, 3)})

    return perform


async def _connect(ctx: Context) -> "asyncpg.Connection[asyncpg.Record]":
    """Of its own, with patience for a busy server."""
    if ctx.settings.prepared_statements:
        arguments: dict[str, Any] = {"server_settings": {"application_name": "authapi worker"}}
    else:
        arguments = {"statement_cache_size": 0}
    url = ctx.settings.database_url
    return await db.connect(url, within=CONNECT_TIMEOUT, command_timeout=ANSWER_TIMEOUT, **arguments)


async def _end(task: "asyncio.Task[None]") -> None:
    """Twice, because pgqueuer answers the first time by waiting for its jobs."""
    for _ in range(2):
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    if task.done() and not task.cancelled():
        task.exception()


def _tell(error: Exception, message: str, **more: object) -> None:
    """What will pass in a line, what is wrong with its traceback."""
    if isinstance(error, Lost | asyncpg.PostgresConnectionError) or db.is_unavailable(error):
        log.warning(message, extra={"error": type(error).__name__, **more})
    else:
        log.error(message, exc_info=error, extra=more)


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    with suppress(NotImplementedError):  # the loop of Windows has no signals: Ctrl-C ends it there
        for number in numbers:
            loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        with suppress(NotImplementedError):  # as above
            for number in numbers:
                loop.remove_signal_handler(number)
