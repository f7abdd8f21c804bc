"""The frozen schema of pgqueuer is the one that the installed pgqueuer wants."""

import asyncpg
import pytest
from pgqueuer.db import AsyncpgDriver

from authapi.core import queue


async def test_the_installed_pgqueuer_would_change_nothing(postgres_url: str) -> None:
    """Where this fails after an update of pgqueuer, its statements belong in a new migration."""
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    try:
        plan = await queue.queries(AsyncpgDriver(connection)).plan_upgrade()
    finally:
        await connection.close()
    assert (plan.statements, plan.notes) == ((), ())


def test_no_variable_of_the_environment_renames_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHANNEL", "SCHEDULES_TABLE", "PGQUEUER_PREFIX", "PGQUEUER_SCHEMA"):
        monkeypatch.setenv(name, "other")
    assert queue.Names(db_schema="jobs").channel == "ch_pgqueuer"
    assert queue.Names(db_schema="jobs").qualified.schedules_table == "jobs.pgqueuer_schedules"
