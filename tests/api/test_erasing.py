"""Erasing people whose time is over, where one of them is no ordinary one."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from authapi.audit import service as audit
from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.signin import departure
from authapi.users.models import User
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, Person, bearer, sign_up
from tests.support.tampering import NOBODY, faults

ME = "/api/v1/users/me"
GRACE = {"days": 14, "minutes": 1}
BLANK = ("", "")
REFUSE = "RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = 'query_canceled'"


@asynccontextmanager
async def trigger(ctx: Context, when: str, then: str) -> AsyncIterator[None]:
    """Postgres does `then` on some occasion, as long as the block lasts."""
    body = f"CREATE FUNCTION a_deed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {then}; RETURN NULL; END $$"
    async with ctx.db.begin() as tx:
        await tx.execute(text(body))
        await tx.execute(text(f"CREATE TRIGGER tg_deed {when} EXECUTE FUNCTION a_deed()"))
    try:
        yield
    finally:
        async with ctx.db.begin() as tx:
            await tx.execute(text("DROP FUNCTION a_deed CASCADE"))


async def leave(person: Person) -> UUID:
    reply = await person.api.delete(ME, headers=bearer(person.access_token))
    assert reply.status_code == 202
    return UUID(person.tokens["user"]["id"])


async def busy(ctx: Context, person: Person, events: int) -> None:
    """So many more of theirs are on record."""
    for _ in range(events):
        async with ctx.db.begin() as tx:
            await audit.record(ctx, tx, "user.profile_changed", NOBODY, UUID(person.tokens["user"]["id"]))


async def people(ctx: Context) -> list[str]:
    async with ctx.db() as tx:
        return list(await tx.scalars(select(User.email).order_by(User.id)))


async def events(ctx: Context, user_id: UUID) -> list[str]:
    """Their names, in the order of their times."""
    async with ctx.db() as tx:
        found = select(AuditEvent.name).where(AuditEvent.user_id == user_id).order_by(AuditEvent.at)
        return list(await tx.scalars(found))


async def clients(ctx: Context, user_id: UUID) -> set[tuple[str, str]]:
    """What a person's events still have of addresses and user agents."""
    async with ctx.db() as tx:
        found = select(AuditEvent.ip, AuditEvent.user_agent).where(AuditEvent.user_id == user_id)
        return {(ip, user_agent) for ip, user_agent in await tx.execute(found)}


async def test_one_who_cannot_be_erased_holds_up_nobody_else(
    ctx: Context,
    api: httpx.AsyncClient,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(departure, "BATCH", 2)
    gone = [await sign_up(api, ADA | {"email": f"ada{number}@example.com"}) for number in range(5)]
    ids = [await leave(person) for person in gone]
    clock.advance(**GRACE)
    of_two = f"BEFORE DELETE ON users FOR EACH ROW WHEN (old.id IN ('{ids[0]}', '{ids[3]}'))"
    async with trigger(ctx, of_two, REFUSE):
        with caplog.at_level(logging.ERROR):
            await departure.erase(ctx)
        assert await people(ctx) == ["ada0@example.com", "ada3@example.com"]
        assert [getattr(line, "user_id", None) for line in caplog.records] == [ids[0], ids[3]]
        assert BLANK not in await clients(ctx, ids[0])
    await departure.erase(ctx)
    assert await people(ctx) == []


async def test_somebody_with_very_many_events_is_erased_and_the_record_stays_whole(
    ctx: Context, api: httpx.AsyncClient, ada: Person, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No statement may change more than a few of them, as if it were cancelled for its time."""
    monkeypatch.setattr(departure, "EVENTS", 5)
    bob = await sign_up(api, BOB)
    await busy(ctx, ada, 18)
    user_id = await leave(ada)
    clock.advance(**GRACE)
    many = "AFTER UPDATE ON audit_events REFERENCING NEW TABLE AS blanked FOR EACH STATEMENT"
    async with trigger(ctx, many, f"IF (SELECT count(*) > 5 FROM blanked) THEN {REFUSE}; END IF"):
        await departure.erase(ctx)
    assert await people(ctx) == ["bob@example.com"]
    assert await clients(ctx, user_id) == {BLANK}
    assert (await events(ctx, user_id))[-1] == "user.erased"
    assert BLANK not in await clients(ctx, UUID(bob.tokens["user"]["id"]))
    assert await faults(ctx) == {}


async def test_who_comes_back_between_two_batches_of_events_stays(
    ctx: Context, ada: Person, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departure, "EVENTS", 5)
    await busy(ctx, ada, 18)
    user_id = await leave(ada)
    clock.advance(**GRACE)
    async with trigger(ctx, "AFTER UPDATE ON audit_events FOR EACH STATEMENT", "UPDATE users SET erase_at = NULL"):
        await departure.erase(ctx)
    assert await people(ctx) == ["ada@example.com"]
    assert "user.erased" not in await events(ctx, user_id)
    assert await faults(ctx) == {}


async def test_an_event_that_comes_in_late_among_very_many_is_blanked_too(
    ctx: Context, ada: Person, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction ends when the events after it have been looked at."""
    monkeypatch.setattr(departure, "EVENTS", 5)
    user_id = await leave(ada)
    clock.advance(**GRACE)
    await busy(ctx, ada, 18)
    late = f"""
        INSERT INTO audit_events (id, name, at, user_id, ip, user_agent, request_id, data)
        SELECT gen_random_uuid(), 'sign_in.refused', max(at) - interval '1 s', '{user_id}', '203.0.113.9', '', '',
               '{{}}' FROM audit_events
    """
    async with trigger(ctx, "AFTER DELETE ON users FOR EACH STATEMENT", late):
        await departure.erase(ctx)
    assert "sign_in.refused" in await events(ctx, user_id)
    assert await clients(ctx, user_id) == {BLANK}


async def test_nobody_is_forgotten_before_their_time(ctx: Context, ada: Person, clock: MovedClock) -> None:
    user_id = await leave(ada)
    clock.advance(days=13)
    with pytest.raises(DBAPIError, match="only those who are gone or due to go"):
        async with ctx.db.begin() as tx:
            await audit.forget(ctx, tx, user_id)
    clock.advance(days=1, minutes=1)
    async with ctx.db.begin() as tx:
        assert await audit.forget(ctx, tx, user_id) is None
    assert await clients(ctx, user_id) == {BLANK}
