"""What goes by the driver finds its rows by a condition on an index, also while few sessions have ended."""

import json
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from authapi.core.batches import TO_EACH_ROW, Batched
from authapi.core.context import Context
from authapi.core.driver import BY_INDEX, Statement
from authapi.methods.password import store as passwords
from authapi.sessions import denylist
from authapi.sessions import store as sessions
from authapi.signin import store as counters
from tests.support.people import ADA, Person, sign_up


def _statements() -> Iterator[tuple[str, str]]:
    for module in (passwords, sessions, denylist, counters):
        for name, found in vars(module).items():
            for number, each in enumerate(found.values() if isinstance(found, dict) else [found]):
                if isinstance(each, Statement):
                    yield f"{name}-{number}", each.sql
                if isinstance(each, Batched):
                    yield f"{name}-{number}-one", each.one
                    yield f"{name}-{number}-many", each.many


STATEMENTS = dict(_statements())

MANY = """
    UPDATE pg_class SET reltuples = 1000000
     WHERE reltuples > 0 AND relkind IN ('r', 'i') AND relname <> 'ix_sessions_ended_at'
"""
"""As if there were a million rows where there are any, but no session that has ended."""


def _scans(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Scan" in node["Node Type"] and ("Relation Name" in node or "Index Name" in node):
        yield node
    for below in node.get("Plans", ()):
        yield from _scans(below)


def test_there_are_statements() -> None:
    assert {"_CLAIM-0-one", "_PASS-0-many", "_SIGN_UP-0-many", "_SIGN_UP-1-one", "_LOG_OUT-0-many"} <= set(STATEMENTS)


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_table_and_no_index_of_a_million_people_is_read_whole(ada: Person, ctx: Context, name: str) -> None:
    for number in range(3):
        await sign_up(ada.api, ADA | {"email": f"person{number}@example.com"})
    async with ctx.db.begin() as tx:
        await tx.execute(text("ANALYZE"))
        await tx.execute(text(MANY))
    sql = STATEMENTS[name]
    nothing = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", sql))))
    settings = {**BY_INDEX, "plan_cache_mode": "force_generic_plan", **(TO_EACH_ROW if name.endswith("many") else {})}
    connection = await asyncpg.connect(ctx.settings.database_url.replace("+asyncpg", ""), server_settings=settings)
    try:
        await connection.execute(f"PREPARE asked AS {sql}")
        row = await connection.fetchrow(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({nothing})")
    finally:
        await connection.close()
    assert row is not None
    (plan,) = json.loads(row[0])
    whole = [scan for scan in _scans(plan["Plan"]) if not {"Index Cond", "Recheck Cond"} & scan.keys()]
    assert not whole
