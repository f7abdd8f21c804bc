"""Runs the migrations: one at a time across all instances, and never holding a lock for long."""

import asyncio
import os
import time
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

import authapi.app  # noqa: F401  (whatever the application uses is then in the metadata)
from authapi.core import db

LOCK = 0x61757468_00
POLL = 0.1
CONNECT_TIMEOUT = 10.0

LOCK_TIMEOUT, STATEMENT_TIMEOUT = "200ms", "10min"
"""Of each step. Whoever wants a table waits behind a step that waits for it, so it gives way soon and comes back."""

LOCKED = "55P03"
PATIENCE = 120.0
"""Seconds in which a step comes back."""

FOREIGN = ("jobs",)
"""Schemas that others own."""


def _include(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "schema" and name in FOREIGN)


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=db.Table.metadata,
        include_name=_include,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        on_version_apply=_tell,  # type: ignore[arg-type]  # it is called with keywords
    )
    _lock(connection)
    try:
        _run(connection)
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()


def _run(connection: Connection) -> None:
    """Each step is a transaction, so one that could not have its locks has done nothing, and begins anew."""
    deadline = time.monotonic() + PATIENCE
    while True:
        _limit(connection)
        connection.commit()
        try:
            with context.begin_transaction():
                return context.run_migrations()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCKED or _is_counted() or time.monotonic() > deadline:
                raise
        connection.rollback()
        time.sleep(POLL)


def _is_counted() -> bool:
    """Whether so many steps were asked for: some may be done by now, and as many again would be too many."""
    return str(context.get_revision_argument() or "").startswith(("+", "-"))


def _limit(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))


def _lock(connection: Connection) -> None:
    """Asks again and again: a statement that waits holds a snapshot, and CREATE INDEX CONCURRENTLY waits for it."""
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
        connection.rollback()
        time.sleep(POLL)
    connection.commit()


def _tell(*, ctx: MigrationContext, step: MigrationInfo, **_: Any) -> None:
    if ctx.connection is not None:  # for the next step, whatever this one needed
        _limit(ctx.connection)
    if (told := context.config.attributes.get("told")) is not None:
        told(step.up_revision_id)


def _url() -> str:
    """Given by whoever runs them; by the environment for the command line of alembic itself."""
    given: str | None = context.config.attributes.get("url")
    return given or f"postgresql+asyncpg://{os.environ['AUTHAPI_DATABASE_URL'].partition('://')[2]}"


async def online() -> None:
    engine = db.poolless(_url(), within=CONNECT_TIMEOUT)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


if (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    asyncio.run(online())
