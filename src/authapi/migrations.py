"""Brings the database's schema to a revision, from the repository or from an installed package."""

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from authapi.core import db

CONNECT_TIMEOUT = 10.0

_ROLE = """
    SELECT rolsuper
           OR pg_has_role(oid, (SELECT relowner FROM pg_class WHERE oid = 'alembic_version'::regclass), 'USAGE')
           AS is_mighty
      FROM pg_roles WHERE rolname = :role
"""
_RIGHTS = """
    ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN (current_schema(), 'jobs')),
    narrower (name, may) AS (VALUES ('audit_events', 'SELECT, INSERT'), ('audit_chains', 'SELECT'),
                                    ('audit_anchors', 'SELECT, INSERT, UPDATE'), ('alembic_version', 'SELECT')),
    tables AS (
        SELECT c.oid, format('%I.%I', nspname, relname) AS name, coalesce(may, 'SELECT, INSERT, UPDATE, DELETE') AS may
          FROM pg_class c JOIN ours ON ours.oid = relnamespace
          LEFT JOIN narrower ON name = relname AND nspname <> 'jobs'
         WHERE relkind IN ('r', 'p')),
    functions AS (
        SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
                                  AND proname IN ('audit_cut', 'audit_blank', 'audit_forget'))
"""
"""What a role that serves needs, and all that it may have."""

_GRANTS = f"""
    WITH {_RIGHTS}
    SELECT 1 AS turn, format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), CAST(:role AS text)) AS statement
     UNION ALL
    SELECT 1, format(each, nspname, CAST(:role AS text)) FROM ours, unnest(ARRAY[
               'GRANT USAGE ON SCHEMA %I TO %I', 'REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I',
               'GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I']) each
     UNION ALL
    SELECT 2, format('GRANT %s ON %s TO %I', may, name, CAST(:role AS text)) FROM tables
     UNION ALL
    SELECT 2, format('GRANT EXECUTE ON FUNCTION %s TO %I', oid::regprocedure, CAST(:role AS text)) FROM functions
     ORDER BY turn
"""
"""Statements, with the turn of each: what an earlier version granted is taken back first."""

_MISSING = f"""
    WITH {_RIGHTS}
    SELECT privilege || ' on ' || name FROM tables, unnest(string_to_array(may, ', ')) privilege
     WHERE NOT has_table_privilege(oid, privilege)
     UNION ALL
    SELECT 'USAGE on ' || relname
      FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid JOIN ours ON ours.oid = relnamespace
     WHERE NOT has_sequence_privilege(seqrelid, 'USAGE')
     UNION ALL
    SELECT 'EXECUTE on ' || CAST(oid::regprocedure AS text) FROM functions
     WHERE NOT has_function_privilege(oid, 'EXECUTE')
     ORDER BY 1
"""

Told: TypeAlias = Callable[[str], None]
"""Is given the name of each revision that was applied or taken back, just before the commit."""


class CannotMigrate(Exception):
    """There is no such revision here, or the database has one from newer code. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Step:
    revision: str
    deed: str


@dataclass(frozen=True, slots=True)
class Status:
    """`pending` are the steps from `current` to `head`. `is_ahead`: the database's revision is unknown to this code."""

    current: str | None
    head: str
    pending: tuple[Step, ...]
    is_ahead: bool = False


def up(url: str, revision: str = "head", *, told: Told | None = None) -> None:
    """Several may start at once: one runs the migrations, the others wait for it. Not to be called on an event loop.

    Raises CannotMigrate, and what the database raises.
    """
    _run(command.upgrade, url, revision, told)


def down(url: str, revision: str, *, told: Told | None = None) -> None:
    """Takes back every step after `revision`: its name, `base`, or `-1` for the last one. Data in it are lost."""
    _run(command.downgrade, url, revision, told)


def status(url: str) -> Status:
    """Where the database is. Not to be called on an event loop. Raises what the database raises."""
    return asyncio.run(_status(url))


async def status_of(engine: AsyncEngine) -> Status:
    async with engine.connect() as connection:
        return await _read(connection)


def grant(url: str, role: str) -> None:
    """What the service needs and no more, for a role that owns nothing. Not to be called on an event loop.

    Raises CannotMigrate where it owns the tables, is a superuser or does not exist, and what the database raises.
    """
    asyncio.run(_grant(url, role))


async def missing_rights(engine: AsyncEngine) -> list[str]:
    """Those of `grant` that the role of this connection does not have: `INSERT on public.users`."""
    async with engine.connect() as connection:
        return list((await connection.execute(text(_MISSING))).scalars())


def folder() -> Path:
    """The migrations of the repository where this is one, else those that the package carries."""
    package = Path(__file__).resolve().parent
    repository = package.parent.parent / "migrations"
    is_repository = package.parent.name == "src" and (repository / "env.py").is_file()
    return repository if is_repository else package / "_migrations"


def _run(deed: Callable[[Config, str], None], url: str, revision: str, told: Told | None) -> None:
    config = _config()
    config.attributes.update(url=url, told=told)
    try:
        deed(config, revision)
    except CommandError as error:
        raise CannotMigrate(f"{str(error).rstrip('.')}.") from error


async def _status(url: str) -> Status:
    engine = db.poolless(url, within=CONNECT_TIMEOUT)
    try:
        return await status_of(engine)
    finally:
        await engine.dispose()


async def _grant(url: str, role: str) -> None:
    engine = db.poolless(url, within=CONNECT_TIMEOUT)
    try:
        async with engine.begin() as connection:
            found = (await connection.execute(text(_ROLE), {"role": role})).one_or_none()
            if found is None:
                raise CannotMigrate(f"There is no role {role}: create it first, with LOGIN and a password.")
            if found.is_mighty:
                raise CannotMigrate(
                    f"{role} owns the tables or is a superuser: grant to another role, and serve with it."
                )
            for row in (await connection.execute(text(_GRANTS), {"role": role})).all():
                await connection.exec_driver_sql(row.statement)
    finally:
        await engine.dispose()


async def _read(connection: AsyncConnection) -> Status:
    current = await connection.run_sync(_current)
    steps = [Step(script.revision, script.doc or "") for script in reversed(_scripts(_config()))]
    names = [step.revision for step in steps]
    if current is not None and current not in names:
        return Status(current, names[-1], (), is_ahead=True)
    done = names.index(current) + 1 if current else 0
    return Status(current, names[-1], tuple(steps[done:]))


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts(config: Config) -> list[Script]:
    """The newest first."""
    return list(ScriptDirectory.from_config(config).walk_revisions())


def _config() -> Config:
    config = Config(stdout=io.StringIO(), attributes={})
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    return config
