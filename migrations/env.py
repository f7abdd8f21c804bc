"""Runs the migrations: one at a time across all instances, and never holding a lock for long."""

import asyncio
import os
import time
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import authapi.app  # noqa: F401  (whatever the application uses is then in the metadata)
from authapi.core.db import Table

LOCK = 0x61757468_00
POLL = 0.1
CONNECT_TIMEOUT = 10.0
FOREIGN = ("jobs",)
"""Schemas that others own."""


def _include(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "schema" and name in FOREIGN)


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        include_name=_include,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        on_version_apply=_tell,  # type: ignore[arg-type]  # it is called with keywords
    )
    _lock(connection)
    try:
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()


def _lock(connection: Connection) -> None:
    """Asks again and again: a statement that waits holds a snapshot, and CREATE INDEX CONCURRENTLY waits for it."""
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
        connection.rollback()
        time.sleep(POLL)
    connection.execute(text("SET lock_timeout = '1s'"))
    connection.execute(text("SET statement_timeout = '10min'"))
    connection.commit()


def _tell(*, step: MigrationInfo, **_: Any) -> None:
    if (told := context.config.attributes.get("told")) is not None:
        told(step.up_revision_id)


def _url() -> str:
    """Given by whoever runs them; by the environment for the command line of alembic itself."""
    given: str | None = context.config.attributes.get("url")
    return given or f"postgresql+asyncpg://{os.environ['AUTHAPI_DATABASE_URL'].partition('://')[2]}"


async def online() -> None:
    engine = create_async_engine(_url(), poolclass=NullPool, connect_args={"timeout": CONNECT_TIMEOUT})
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


if (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    asyncio.run(online())
