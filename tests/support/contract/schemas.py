"""What migrations must do: one after the other, forth, back and forth again, and end where the models are."""

import asyncio
import io
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncpg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

T = TypeVar("T")

NAME = re.compile(r"\d{4}_\d\d_\d\d_\d{4}_[a-z0-9]+(_[a-z0-9]+)*\.py")
FOREIGN = "jobs"
"""The schema that pgqueuer owns; its own tests compare it."""

_OURS = "!~ '^(pg_|information_schema$)'"
_OBJECTS = f"""
    SELECT format('%s %s.%s', CASE c.relkind WHEN 'r' THEN 'table' WHEN 'i' THEN 'index' ELSE c.relkind::text END,
                  n.nspname, c.relname) AS name,
           concat_ws(', ', CASE c.relkind WHEN 'i' THEN pg_get_indexdef(c.oid) END, array_to_string(c.reloptions, ', '),
                     (SELECT string_agg(format('%s %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod),
                                               a.attnotnull, pg_get_expr(d.adbin, d.adrelid)), ', ' ORDER BY a.attname)
                        FROM pg_attribute a LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
                       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) AS what
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname {_OURS} AND c.relname !~ '^alembic_version'
    UNION ALL
    SELECT format('constraint %s.%s', conrelid::regclass, conname), pg_get_constraintdef(oid)
      FROM pg_constraint
     WHERE connamespace::regnamespace::text {_OURS} AND conrelid::regclass::text !~ '^(-$|alembic_version)'
    UNION ALL
    SELECT format('trigger %s.%s', tgrelid::regclass, tgname), pg_get_triggerdef(oid)
      FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT format('function %s', oid::regprocedure), md5(prosrc)
      FROM pg_proc WHERE pronamespace::regnamespace::text {_OURS}
    UNION ALL
    SELECT format('type %s', oid::regtype), typtype::text
      FROM pg_type WHERE typnamespace::regnamespace::text {_OURS} AND typtype IN ('e', 'd')
    UNION ALL
    SELECT format('schema %s', nspname), '' FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|public$)'
"""


def line_faults(folder: Path) -> list[str]:
    """Names that say neither date nor deed, and revisions that do not stand in one line."""
    files = sorted(path.name for path in (folder / "versions").glob("*.py"))
    vague = [f"{name} is not named by date and deed" for name in files if not NAME.fullmatch(name)]
    heads = ScriptDirectory(str(folder)).get_heads()
    return vague + ([f"there are {len(heads)} heads: {', '.join(sorted(heads))}"] if len(heads) != 1 else [])


def forth(folder: Path, url: str) -> None:
    command.upgrade(_config(folder, url), "head")


def run_faults(folder: Path, url: str) -> list[str]:
    """Up, down, up on an empty database. Not to be called on an event loop."""
    config = _config(folder, url)
    command.upgrade(config, "head")
    first = objects(url)
    command.downgrade(config, "base")
    left = objects(url)
    if left:  # the way up again would only stumble over them
        return [f"after the way down there is still {name}" for name in sorted(left)]
    command.upgrade(config, "head")
    second = objects(url)
    differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return [f"the second way up made another {name}" for name in differing]


def step_faults(folder: Path, url: str) -> list[str]:
    """From an empty database, each step up, down and up again by itself."""
    config = _config(folder, url)
    faults = []
    for script in reversed(list(ScriptDirectory(str(folder)).walk_revisions())):
        before = objects(url)
        command.upgrade(config, script.revision)
        command.downgrade(config, "-1")
        after = objects(url)
        command.upgrade(config, script.revision)
        differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        faults += [f"{script.revision} taken back leaves another {name}" for name in differing]
    return faults


def model_faults(url: str, metadata: MetaData) -> list[str]:
    """What alembic would still change to make the migrated schema what the models say."""

    def compare(connection: Connection) -> list[str]:
        options = {"include_name": lambda name, kind, _: not (kind == "schema" and name == FOREIGN)}
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "include_schemas": True, **options}
        )
        return [f"models and schema differ: {difference}" for difference in compare_metadata(context, metadata)]

    async def connected() -> list[str]:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            return await connection.run_sync(compare)

    return asyncio.run(connected())


def objects(url: str) -> dict[str, str]:
    """Everything in the database that a migration could have made."""
    return ask(url, _objects)


async def _objects(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, str]:
    return {row["name"]: row["what"] for row in await connection.fetch(_OBJECTS)}


def execute(url: str, *statements: str) -> None:
    async def run(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        for statement in statements:
            await connection.execute(statement)

    ask(url, run)


def ask(url: str, question: Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[T]]) -> T:
    async def asked() -> T:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return await question(connection)
        finally:
            await connection.close()

    return asyncio.run(asked())


def _config(folder: Path, url: str) -> Config:
    config = Config(stdout=io.StringIO(), attributes={"url": url, "told": None})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
