"""The declarative base, the engine, and what counts as a database that cannot serve just now."""

from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import ColumnElement, DateTime, Interval, LargeBinary, MetaData, NullPool, Text, event, func, literal
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from authapi.core import urls
from authapi.core.clock import Clock
from authapi.core.pool import FairPool
from authapi.core.settings import Settings

CONNECT_TIMEOUT = 1.0
POOL_TIMEOUT = 1.5
STATEMENT_TIMEOUT = 1.5
ANSWER_TIMEOUT = 2.5
"""Seconds after which a statement is given up here; longer than the server's own limit, for a server that is frozen."""

READ_ONLY = "25006"
NOT_NOW = ("08", READ_ONLY, "28", "3D", "40", "53", "55", "57", "58")
"""SQLSTATE beginnings that mean "later": connection, read-only, login, no such database, rolled back, resources, lock,
operator, disk."""

BY_CONNECT = "postgresql+asyncpg://"
"""Names the dialect and nothing else, so that `connect` alone reads what `AUTHAPI_DATABASE_URL` says."""

NO_CONNECTION = (
    *(PoolTimeout, InterfaceError, asyncpg.InterfaceError, OSError, TimeoutError),
    asyncpg.InternalClientError,  # the driver's word for a connection that the server is just closing
)


_taking_writes: dict[str, str] = {}
"""Of each URL the host that was found last: it is asked first, so that one that is gone costs nothing for long."""


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
        "command_timeout": ANSWER_TIMEOUT,
        "server_settings": {"application_name": "authapi", "jit": "off"}
        | {name: str(int(seconds * 1000)) for name, seconds in milliseconds.items()},
    }
    if not settings.prepared_statements:
        # PgBouncer hands each transaction to another server connection. Statements must not even have a name of their
        # own: the driver closes such a one between parsing the next and running it, and that ends a transaction, too.
        options |= {"statement_cache_size": 0, "server_settings": {}}
    return options


async def connect(url: str, *, within: float = CONNECT_TIMEOUT, **options: Any) -> "asyncpg.Connection[Any]":
    """By a URL as libpq reads it; of several hosts to the first that takes writes. Each has its share of the seconds,
    because one that is gone does not say so. Raises what `is_unavailable` knows."""
    *others, last = sorted(addresses(url), key=lambda address: address != _taking_writes.get(url))
    options["timeout"] = within / (len(others) + 1)
    if others:
        options["target_session_attrs"] = "read-write"
    for address in others:
        try:
            return await _connect(url, address, options)
        except (*NO_CONNECTION, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
            continue
    return await _connect(url, last, options)


async def _connect(url: str, address: str, options: dict[str, Any]) -> "asyncpg.Connection[Any]":
    connection: asyncpg.Connection[Any] = await asyncpg.connect(address, **options)
    _taking_writes[url] = address
    return connection


def addresses(url: str) -> list[str]:
    """The URL of each host of one that names several, as in `postgresql://user@h1:5432,h2:5432/name`."""
    scheme, account, hosts, path, query = urls.split(url.replace("+asyncpg", "", 1))
    return [f"{scheme}://{account}{host}/{path}" + (f"?{query}" if query else "") for host in hosts]


def engine(settings: Settings, *, size: int) -> AsyncEngine:
    """A pool of at most `size` connections. Nothing connects before the first statement."""
    arguments = connection_options(settings) | {"async_creator_fn": connect, "url": settings.database_url}
    if not settings.prepared_statements:
        arguments["prepared_statement_cache_size"] = 0
    made = create_async_engine(
        BY_CONNECT,
        connect_args=arguments,
        poolclass=FairPool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_use_lifo=True,
        hide_parameters=True,
    )
    event.listen(made.sync_engine, "handle_error", _leave_what_is_gone)
    event.listen(made.sync_engine, "checkout", _refuse_what_is_closed)
    return made


def poolless(url: str, *, within: float) -> AsyncEngine:
    """Each use has a connection of its own, made within so many seconds."""
    arguments = {"async_creator_fn": connect, "url": url, "within": within}
    return create_async_engine(BY_CONNECT, poolclass=NullPool, connect_args=arguments)


def is_gone(error: BaseException) -> bool:
    """Whether a server must be left that does not say so itself: it takes no writes any more, or does not answer. Its
    other connections are no better, and the next ones may find its successor."""
    return isinstance(error, TimeoutError) or getattr(error, "sqlstate", None) == READ_ONLY


def _refuse_what_is_closed(connection: Any, *_: object) -> None:
    """The server has ended it while nobody used it, as all are when it restarts: the pool then makes another one."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _leave_what_is_gone(context: ExceptionContext) -> None:
    """And a connection whose statement was broken off: nobody knows what it would answer next."""
    if is_gone(context.original_exception):
        context.is_disconnect = True
    elif not context.is_disconnect and getattr(context.original_exception, "sqlstate", None) is None:
        context.is_disconnect, context.invalidate_pool_on_disconnect = True, False


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
