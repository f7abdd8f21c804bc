"""The declarative base, the engine, and what counts as a database that cannot serve just now."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy import ColumnElement, DateTime, Interval, LargeBinary, MetaData, Text, func, literal
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from authapi.core.clock import Clock
from authapi.core.settings import Settings

CONNECT_TIMEOUT = 1.0
POOL_TIMEOUT = 1.5
STATEMENT_TIMEOUT = 1.5
ANSWER_TIMEOUT = 2.5
"""Seconds after which a statement is given up here; longer than the server's own limit, for a server that is frozen."""

NOT_NOW = ("08", "25006", "28", "3D", "40", "53", "55", "57", "58")
"""SQLSTATE beginnings that mean "later": connection, read-only, login, no such database, rolled back, resources, lock,
operator, disk."""


NO_CONNECTION = (
    *(PoolTimeout, InterfaceError, asyncpg.InterfaceError, OSError, TimeoutError),
    asyncpg.InternalClientError,  # the driver's word for a connection that the server is just closing
)


class Table(DeclarativeBase):
    """Every table gets predictable constraint names, `text` for strings and `timestamptz` for times."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True), bytes: LargeBinary, str: Text}


def connection_options(settings: Settings) -> dict[str, Any]:
    """What the driver is told, by whatever way it is used."""
    milliseconds = {"statement_timeout": STATEMENT_TIMEOUT, "idle_in_transaction_session_timeout": 10.0}
    options: dict[str, Any] = {
        "timeout": CONNECT_TIMEOUT,
        "command_timeout": ANSWER_TIMEOUT,
        "server_settings": {"application_name": "authapi", "jit": "off"}
        | {name: str(int(seconds * 1000)) for name, seconds in milliseconds.items()},
    }
    if not settings.prepared_statements:  # PgBouncer hands each transaction to another server connection
        options |= {"statement_cache_size": 0, "server_settings": {}}
    return options


def engine(settings: Settings, *, size: int) -> AsyncEngine:
    """A pool of at most `size` connections. Nothing connects before the first statement."""
    arguments = connection_options(settings)
    if not settings.prepared_statements:
        arguments |= {
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"authapi_{uuid4()}",
        }
    return create_async_engine(
        settings.database_url,
        connect_args=arguments,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_use_lifo=True,
        hide_parameters=True,
    )


def is_unavailable(error: BaseException) -> bool:
    """Whether a database error says "not now" rather than "wrong": worth another try, and never the caller's fault."""
    if isinstance(error, asyncpg.DataError) or getattr(error, "filename", None) is not None:
        return False  # a fault of ours, and a file
    if isinstance(error, NO_CONNECTION):
        return True
    if isinstance(error, asyncpg.PostgresError):
        return _is_later(error)
    return isinstance(error, DBAPIError) and (error.connection_invalidated or _is_later(error.orig))


def _is_later(error: BaseException | None) -> bool:
    state: str = getattr(error, "sqlstate", None) or ""
    return not state or state.startswith(NOT_NOW)


def now(clock: Clock) -> ColumnElement[datetime]:
    """The database's time, as an expression: what every lifetime and wait is decided by."""
    return func.clock_timestamp(type_=DateTime(timezone=True)) + literal(clock.offset, Interval)
