"""Through PgBouncer in transaction mode each transaction comes to another server connection."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from authapi.core.context import Context
from tests.conftest import Start
from tests.support.cluster.fronts import PgBouncer
from tests.support.cluster.hosts import Host
from tests.support.cluster.programs import run
from tests.support.proof import Prove

AT_ONCE, ROUNDS, SERVERS = 8, 40, 2


@pytest.fixture
async def bounced(start: Start, folder: Path, postgres_url: str) -> AsyncIterator[Context]:
    """Of few connections to Postgres that many share."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("needs pgbouncer: apt-get install pgbouncer")
    url = make_url(postgres_url)
    server = (str(url.host), int(url.port or 0))
    with run(PgBouncer(Host("127.0.0.1"), folder / "pgbouncer", server, size=SERVERS)) as bouncer:
        ctx, _ = await start(
            database_url=bouncer.url(str(url.database)).replace("://", "+asyncpg://"), prepared_statements=False
        )
        yield ctx


@pytest.mark.in_full
async def test_every_statement_gets_its_own_answer(bounced: Context, prove: Prove) -> None:
    """None is run with the parameters of another one, and none is lost between its parts."""

    async def ask(number: int) -> int:
        wrong = 0
        for turn in range(ROUNDS):
            value = number * ROUNDS + turn
            by_driver = await bounced.driver.row(f"SELECT $1::bigint * {number + 2} AS it", value)
            async with bounced.single.connect() as connection:
                alone = await connection.scalar(text(f"SELECT CAST(:x AS bigint) * {number + 3}"), {"x": value})
            async with bounced.db.begin() as tx:
                inside = await tx.scalar(text(f"SELECT CAST(:x AS bigint) * {number + 4}"), {"x": value})
                server = await tx.scalar(text("SELECT pg_backend_pid()"))
                wrong += server != await tx.scalar(text("SELECT pg_backend_pid()"))
            wrong += [by_driver.it, alone, inside] != [value * (number + more) for more in (2, 3, 4)]
        return wrong

    wrong = sum(await asyncio.gather(*(ask(number) for number in range(AT_ONCE))))
    prove(
        "C-pgbouncer-statements",
        f"{AT_ONCE * ROUNDS * 5} statements of {AT_ONCE} tasks through PgBouncer over {SERVERS} server connections",
        number=wrong,
        bar="0 wrong answers, 0 errors",
        passed=wrong == 0,
    )


@pytest.mark.in_full
async def test_the_deadlines_are_those_of_the_bouncer(bounced: Context) -> None:
    assert (await bounced.driver.row("SELECT current_setting('statement_timeout') AS it")).it == "1500ms"
