"""What Postgres tells: whether it can be reached, its settings, the schema, the time, the keys in it."""

from collections.abc import Iterator, Sequence
from typing import Any

from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from authapi import migrations
from authapi.core import urls
from authapi.core.context import Context
from authapi.core.secrets import Unsealable, Vault
from authapi.core.settings import Settings
from authapi.doctor.findings import Finding, error, ok, warning
from authapi.migrations import Status
from authapi.sessions import keys
from authapi.sessions.models import StoredKey

OLDEST = 15
NOTICED, WRONG = 1.0, 30.0
"""Seconds by which the clock of this machine may differ."""

SILENT = 5
"""Minutes after which a worker should have done something."""

_SERVER = text("""
    SELECT current_setting('server_version_num')::int / 10000 AS major, split_part(version(), ' ', 2) AS version,
           current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS room,
           pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS is_read_only
""")
_AUDIT = text("SELECT has_table_privilege('audit_events', 'UPDATE, DELETE, TRUNCATE, TRIGGER')")
_WORKER = text("SELECT extract(epoch FROM clock_timestamp() - max(updated)) / 60 FROM jobs.pgqueuer_schedules")


async def probe(ctx: Context) -> list[Finding]:
    try:
        async with ctx.single.connect() as connection:
            server = (await connection.execute(_SERVER)).one()
            ctx.clock.hear((await connection.execute(text("SELECT clock_timestamp()"))).scalar_one())
            skew = ctx.clock.skew()
            silence = await _silence(connection)
    except (DBAPIError, PostgresError, OSError, TimeoutError) as fault:
        return [_unreachable(ctx, fault)]
    findings = [*judge_server(server, ctx.settings), *judge_clock(skew.total_seconds() if skew else 0.0)]
    status = await migrations.status_of(ctx.single)
    findings += judge_migrations(status)
    if not status.pending and not status.is_ahead:
        findings += judge_jobs(silence, ctx.settings)
        findings.append(judge_rights(await migrations.missing_rights(ctx.single)))
        findings.append(judge_audit(can_change=await _can_change_audit(ctx)))
        findings += judge_keys(await keys.status(ctx), ctx.vault, ctx.settings)
    return findings


def judge_server(server: Any, settings: Settings) -> Iterator[Finding]:
    if server.major < OLDEST:
        yield error("database", f"Postgres {server.version} is too old.", f"Use Postgres {OLDEST} or newer.")
    else:
        yield ok("database", f"Postgres {server.version} answers.")
    if server.is_read_only:
        yield error("database", "It is read-only, like a standby.", "Point AUTHAPI_DATABASE_URL at the primary.")
    if server.synchronous_commit in ("off", "local") or server.fsync == "off":
        level = warning if server.fsync == "off" and settings.env == "development" else error
        yield level(
            "database",
            "Commits are not kept safe (synchronous_commit or fsync is off): after a crash people are signed out.",
            "Set synchronous_commit and fsync to on, for the server and for this role and database.",
        )
    instances = server.room // settings.database_pool
    if instances < 2:
        make = error if instances < 1 else warning
        yield make(
            "database",
            f"A process may open {settings.database_pool} connections and the server has {server.room} in all: "
            f"that is enough for {instances}.",
            "Lower AUTHAPI_DATABASE_POOL or raise max_connections; each process of `serve --workers` has its own pool.",
        )


def judge_clock(skew: float) -> Iterator[Finding]:
    if abs(skew) <= NOTICED:
        yield ok("clock", "This machine and the database agree about the time.")
        return
    make = error if abs(skew) > WRONG else warning
    yield make(
        "clock",
        f"This machine is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the database. Sessions are judged "
        "by the database's clock; the times in logs, and other services that verify tokens, will differ.",
        "Let both follow the same NTP servers (chrony or systemd-timesyncd).",
    )


def judge_migrations(status: Status) -> Iterator[Finding]:
    if status.is_ahead:
        yield warning(
            "migrations",
            f"The database is at {status.current}, which this version does not know: newer code has migrated it.",
            "Update this instance.",
        )
    elif status.pending:
        number = len(status.pending)
        yield error(
            "migrations",
            f"The database is at {status.current or 'nothing'}; {number} {'step is' if number == 1 else 'steps are'} "
            f"missing up to {status.head}.",
            "Run `authapi migrate up`.",
        )
    else:
        yield ok("migrations", f"At the newest, {status.head}.")


def judge_jobs(silence: float | None, settings: Settings) -> Iterator[Finding]:
    """`silence`: minutes since a worker last did something, None where none ever did, as before the first start."""
    if silence is not None and silence < SILENT:
        yield ok("worker", "A worker is at work.")
        return
    last = "No worker has run yet" if silence is None else f"No worker has run for {silence:.0f} minutes"
    judge = warning if silence is None or settings.env == "development" else error
    yield judge(
        "worker",
        f"{last}: no mail is sent, signing keys do not rotate and dead sessions stay.",
        "Run `authapi worker` beside the service; one is enough, several share the work.",
    )


def judge_rights(missing: Sequence[str]) -> Finding:
    if not missing:
        return ok("rights", "The service's database role may do what the service does.")
    return error(
        "rights",
        f"The service's database role lacks {len(missing)} rights, such as {missing[0]}: some calls fail.",
        "Run `authapi migrate grant ROLE` as the owner of the tables, after each `authapi migrate up`.",
    )


def judge_audit(*, can_change: bool) -> Finding:
    if not can_change:
        return ok("audit", "The service can add events and cannot change them.")
    return warning(
        "audit",
        "The service's database role may change what is on record: whoever breaks in can, too.",
        "Serve with a second role: `authapi migrate grant ROLE`, and its name in AUTHAPI_DATABASE_URL.",
    )


def judge_keys(stored: Sequence[StoredKey], vault: Vault, settings: Settings) -> Iterator[Finding]:
    closed = [key.kid for key in stored if not _opens(key, vault)]
    if closed:
        yield error(
            "keys",
            f"{len(closed)} of {len(stored)} signing keys do not open: they were sealed with another AUTHAPI_SECRET.",
            "Add that secret to AUTHAPI_EARLIER_SECRETS.",
        )
        return
    current = next((key for key in stored if keys.state_of(key) == "current"), None)
    if current is None:
        yield ok("keys", "There are none yet: the first start makes them.")
    elif current.algorithm != settings.signing_algorithm:
        yield warning(
            "keys",
            f"Tokens are signed with {current.algorithm}; AUTHAPI_SIGNING_ALGORITHM is {settings.signing_algorithm}.",
            "The worker moves on within minutes of a start with the new setting; or run `authapi keys rotate`.",
        )
    else:
        yield ok("keys", f"{len(stored)} open; {current.algorithm} signs.")
    if earlier := sum(not vault.is_current(keys.PURPOSE, key.sealed) for key in stored):
        yield warning(
            "keys",
            f"{earlier} are still sealed with an earlier secret.",
            "Run `authapi worker`: it seals them anew within a minute. Keep the earlier secret until then.",
        )


async def _can_change_audit(ctx: Context) -> bool:
    async with ctx.single.connect() as connection:
        return bool((await connection.execute(_AUDIT)).scalar_one())


async def _silence(connection: AsyncConnection) -> float | None:
    if not await connection.scalar(text("SELECT to_regclass('jobs.pgqueuer_schedules') IS NOT NULL")):
        return None
    minutes = await connection.scalar(_WORKER)
    return None if minutes is None else float(minutes)


def _opens(key: StoredKey, vault: Vault) -> bool:
    try:
        vault.unseal(keys.PURPOSE, key.sealed, bound_to=key.kid.encode())
    except Unsealable:
        return False
    return True


def _unreachable(ctx: Context, fault: Exception) -> Finding:
    """What Postgres says of a refusal names user and database, but no password."""
    parts = urls.split(ctx.settings.database_url)
    where = f"{','.join(parts.hosts) or 'localhost'}/{parts.path}"
    origin = fault.orig.__cause__ if isinstance(fault, DBAPIError) and fault.orig else fault
    state = getattr(origin, "sqlstate", None)
    if state is None:
        message = f"Postgres cannot be reached at {where} ({type(origin).__name__})."
        return error("database", message, "Start it, or correct host and port in AUTHAPI_DATABASE_URL.")
    return error(
        "database",
        f"Postgres at {where} refuses: {origin}.",
        "Correct user, password or database in AUTHAPI_DATABASE_URL, or create the database.",
    )
