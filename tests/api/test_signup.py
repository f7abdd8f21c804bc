"""What a sign-up leaves behind: all of it, or nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.outbox.models import StoredMessage
from tests.conftest import Start
from tests.support.people import ADA, PREFIX, log_in, sign_up

ONE_EACH = ("users", "credentials", "passwords", "sessions", "one_time_secrets", "messages", "jobs.pgqueuer")
ALL = dict.fromkeys(ONE_EACH, 1) | {"audit_events": 2}
NOTHING = dict.fromkeys(ALL, 0)

REFUSE = """
    CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$
"""


async def counted(ctx: Context) -> dict[str, int]:
    async with ctx.db() as tx:
        return {table: (await tx.scalars(text(f"SELECT count(*) FROM {table}"))).one() for table in ALL}


@asynccontextmanager
async def refusing(ctx: Context, table: str) -> AsyncIterator[None]:
    """Nothing can be added to this table meanwhile; other connections see that, too."""
    async with ctx.single.connect() as connection:
        await connection.execute(text(REFUSE))
        trigger = f"TRIGGER refused BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse()"
        await connection.execute(text(f"CREATE {trigger}"))
        try:
            yield
        finally:
            await connection.execute(text(f"DROP TRIGGER refused ON {table}"))
            await connection.execute(text("DROP FUNCTION pg_temp.refuse()"))


async def test_a_sign_up_leaves_one_of_each(api: httpx.AsyncClient, ctx: Context) -> None:
    ada = await sign_up(api)
    assert await counted(ctx) == ALL
    async with ctx.db() as tx:
        events = (await tx.scalars(select(AuditEvent).order_by(AuditEvent.at))).all()
        message = (await tx.scalars(select(StoredMessage))).one()
        key = (await tx.scalars(text("SELECT dedupe_key FROM jobs.pgqueuer"))).one()
    person, session = UUID(ada.tokens["user"]["id"]), UUID(ada.session_id)
    assert [(event.name, event.user_id, event.session_id, event.data) for event in events] == [
        ("user.signed_up", person, None, {"method": "password"}),
        ("sign_in.passed", person, session, {"method": "password"}),
    ]
    assert events[0].at < events[1].at
    assert (message.user_id, key) == (person, f"mail.deliver {message.id}")


@pytest.mark.parametrize("table", ALL)
async def test_a_sign_up_that_cannot_be_done_whole_leaves_nothing(
    api: httpx.AsyncClient, ctx: Context, table: str
) -> None:
    async with refusing(ctx, table):
        reply = await api.post(f"{PREFIX}/signup", json=ADA)
        assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
        assert await counted(ctx) == NOTHING
    await sign_up(api)
    assert await counted(ctx) == ALL


async def test_nobody_is_asked_where_addresses_are_not_verified(start: Start) -> None:
    ctx, api = await start(email_verification="off")
    await sign_up(api)
    assert await counted(ctx) == ALL | {"one_time_secrets": 0, "messages": 0, "jobs.pgqueuer": 0}


async def test_a_taken_address_leaves_nothing_more(api: httpx.AsyncClient, ctx: Context) -> None:
    await sign_up(api)
    reply = await api.post(f"{PREFIX}/signup", json=ADA)
    assert (reply.status_code, reply.json()["code"]) == (409, "email_taken")
    assert await counted(ctx) == ALL
    await log_in(api)
