"""`authapi worker`."""

import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from authapi import migrations
from authapi.local import postgres
from authapi.local.postgres import Postgres
from authapi.worker import JOBS
from tests.cli.conftest import Call, Launch, Running, await_, sql
from tests.support.servers import open_folder

STARTED = "the worker has started"

PERSON = "INSERT INTO users (id, email, email_key, created_at) VALUES ($1, 'ada', 'ada', now())"
SESSIONS = """
    INSERT INTO sessions (id, user_id, generation, token_hash, created_at, authenticated_at, rotated_at, idle_lifetime,
                          idle_expires_at, methods, ip, user_agent, ended_at, end_reason)
    SELECT gen_random_uuid(), $1, 0, '', now(), now(), now(), 60, now() + expires * interval '1 day', '{}', '', '',
           now() - ended * interval '1 day', CASE WHEN ended IS NOT NULL THEN 'logout' END
      FROM (VALUES (7, NULL), (7, 1), (7, 29), (-29, NULL), (7, 31), (-31, NULL), (-40, 31)) AS each (expires, ended),
           generate_series(1, 600)
"""
DUE = "UPDATE jobs.pgqueuer_schedules SET next_run = now() - interval '1 second'"
IDLE = "SELECT 1 FROM jobs.pgqueuer_schedules WHERE status <> 'queued' OR next_run <= now() OR last_run IS NULL"
DEAD = "SELECT 1 FROM sessions WHERE least(ended_at, idle_expires_at) < now() - interval '30 days'"
WORKERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'authapi worker' AND datname = current_database()"
ADA = "00000000-0000-7000-8000-000000000001"


def done(*workers: Running) -> Counter[tuple[str, str]]:
    """How often each job was done in each minute."""
    lines = [line for each in workers for line in each.said().splitlines() if "a job is done" in line]
    return Counter((_value(line, "job"), _value(line, "timestamp")[:16]) for line in lines)


def _value(line: str, name: str) -> str:
    found = re.search(rf'"{name}":"([^"]+)"', line)
    assert found is not None, line
    return found[1]


def enlist(launch: Launch, environment: dict[str, str], url: str) -> None:
    """A worker has been there once, so that the schedules are in the database."""
    first = launch("worker", environment=environment)
    await_(lambda: len(sql(url, "SELECT 1 FROM jobs.pgqueuer_schedules")) == len(JOBS))
    assert first.end() == 0, first.said()


def test_of_two_workers_one_does_each_job(launch: Launch, environment: dict[str, str], own_database: str) -> None:
    enlist(launch, environment, own_database)
    sql(own_database, PERSON, ADA)
    sql(own_database, SESSIONS, ADA)
    sql(own_database, DUE)
    workers = [launch("worker", environment=environment) for _ in range(2)]
    for each in workers:
        each.await_words(STARTED)
    await_(lambda: not sql(own_database, IDLE))
    assert len(sql(own_database, "SELECT 1 FROM sessions")) == 4 * 600
    assert not sql(own_database, DEAD)
    assert [each.end() for each in workers] == [0, 0]
    counted = done(*workers)
    assert {job for job, _ in counted} == {job.name for job in JOBS}
    assert set(counted.values()) == {1}
    assert "the worker has stopped" in workers[0].said()


def test_what_a_killed_worker_held_is_done_by_another(
    launch: Launch, environment: dict[str, str], own_database: str
) -> None:
    killed = launch("worker", environment=environment)
    await_(lambda: len(sql(own_database, "SELECT 1 FROM jobs.pgqueuer_schedules")) == len(JOBS))
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    held = "status = 'picked', heartbeat = now() - interval '31 seconds', next_run = now() + interval '1 hour'"
    sql(own_database, f"UPDATE jobs.pgqueuer_schedules SET {held}")
    other = launch("worker", environment=environment)
    await_(lambda: not sql(own_database, IDLE))
    assert other.end(signal.SIGINT) == 0
    assert {job for job, _ in done(other)} == {job.name for job in JOBS}


def test_the_worker_moves_on_to_the_next_signing_key(
    launch: Launch, call_alone: Call, environment: dict[str, str], own_database: str
) -> None:
    call_alone("keys", "rotate", "--force", environment=environment)
    before = {row["kid"] for row in sql(own_database, "SELECT kid FROM signing_keys")}
    enlist(launch, environment, own_database)
    month = "interval '31 days'"
    sql(
        own_database,
        f"UPDATE signing_keys SET created_at = created_at - {month}, activated_at = activated_at - {month}",
    )
    sql(own_database, "UPDATE signing_keys SET retired_at = now() - interval '5 minutes' WHERE retired_at IS NOT NULL")
    version = "SELECT keys_version FROM shared_state"
    old = sql(own_database, version)[0]["keys_version"]
    sql(own_database, DUE)
    worker = launch("worker", environment=environment)
    await_(lambda: sql(own_database, version)[0]["keys_version"] > old)
    assert worker.end() == 0
    states = "SELECT kid, activated_at IS NULL AS next, retired_at IS NOT NULL AS retired FROM signing_keys"
    found = {row["kid"]: (row["next"], row["retired"]) for row in sql(own_database, states)}
    assert sorted(found.values()) == [(False, False), (False, True), (False, True), (True, False)]
    assert {kid for kid in found if kid not in before} == {kid for kid, (is_next, _) in found.items() if is_next}


@pytest.fixture
def server() -> Iterator[Postgres]:
    folder: Path = open_folder()
    server = postgres.start(folder, durable=False)
    yield server
    postgres.start(folder, durable=False).stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_restart_of_postgres_is_survived(launch: Launch, environment: dict[str, str], server: Postgres) -> None:
    postgres.ensure_database(server, "authapi")
    url = server.url("authapi")
    migrations.up(url)
    worker = launch("worker", environment=environment | {"AUTHAPI_DATABASE_URL": url})
    await_(lambda: sql(url, WORKERS))
    server.stop()
    worker.await_words("tries again", 2)
    again = postgres.start(server.folder, durable=False)
    assert again.port == server.port
    await_(lambda: sql(url, WORKERS))
    assert worker.end() == 0, worker.said()
    assert "Traceback" not in worker.said()


def test_a_database_that_is_away_is_told_in_a_sentence(call_alone: Call, environment: dict[str, str]) -> None:
    run = call_alone(
        "worker", environment=environment | {"AUTHAPI_DATABASE_URL": "postgresql://x:hidden@127.0.0.1:1/x"}
    )
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "hidden" not in run.stderr
