"""What is on record: who may read it, and that nobody can change it unnoticed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from authapi.audit import jobs, service
from authapi.core.context import Context
from authapi.core.settings import Settings
from tests.support.outside import MovedClock
from tests.support.people import BOB, Person, bearer, log_in, sign_up
from tests.support.tampering import NOBODY, faults, number, record, seqs, tamper

EVENTS = "/api/v1/users/me/events"
CLIENTS = "SELECT count(*) FROM audit_events WHERE ip <> '' OR user_agent <> '' OR salt IS NOT NULL"


async def mine(person: Person, **params: Any) -> httpx.Response:
    return await person.api.get(EVENTS, params=params, headers=bearer(person.access_token))


async def test_people_see_their_own_events_the_newest_first(api: httpx.AsyncClient, ada: Person) -> None:
    await sign_up(api, BOB)
    api.headers["User-Agent"] = NOBODY.user_agent
    again = await log_in(api)
    page = (await mine(again)).json()
    assert [event["name"] for event in page["events"]] == ["sign_in.passed", "sign_in.passed", "user.signed_up"]
    newest = page["events"][0]
    assert newest["session_id"] == again.session_id
    assert newest["device"] == "Firefox on Linux"
    assert newest["data"]["method"] == "password"
    assert newest["ip"]
    assert page["next"] is None


async def test_pages_follow_each_other_without_a_gap(api: httpx.AsyncClient, ada: Person) -> None:
    for _ in range(4):
        await log_in(api)
    everything = (await mine(ada, limit=100)).json()["events"]
    assert len(everything) == 6
    found, before = [], None
    while True:
        page = (await mine(ada, limit=2, **({"before": before} if before else {}))).json()
        found += page["events"]
        before = page["next"]
        if before is None:
            break
    assert found == everything


async def test_somebody_elses_event_leads_nowhere(api: httpx.AsyncClient, ada: Person) -> None:
    bob = await sign_up(api, BOB)
    theirs = (await mine(bob)).json()["events"][0]["id"]
    assert (await mine(ada, before=theirs)).json() == {"events": [], "next": None}


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"before": "'; DROP TABLE users; --"}])
async def test_a_page_that_cannot_be_is_refused(ada: Person, params: dict[str, Any]) -> None:
    reply = await mine(ada, **params)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


async def test_nobody_sees_events_without_an_access_token(api: httpx.AsyncClient, ada: Person) -> None:
    assert (await api.get(EVENTS)).json()["code"] == "token_missing"
    await ada.log_out()
    assert (await mine(ada)).json()["code"] == "session_ended"


async def test_events_cannot_be_changed(ctx: Context, ada: Person) -> None:
    for statement in ("UPDATE audit_events SET name = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"):
        with pytest.raises(DBAPIError, match="append only"):
            async with ctx.db.begin() as tx:
                await tx.execute(text(statement))
    assert await faults(ctx) == {}


@pytest.fixture
async def old(ctx: Context, clock: MovedClock) -> Context:
    """Six events of 400 days ago and six of 100, sealed at the time, and three of today."""
    for days, events in ((-400, 6), (300, 6), (100, 3)):
        clock.advance(days=days)
        await record(ctx, events)
        await jobs.seal(ctx)
    return ctx


async def test_old_events_go_and_the_rest_stays_whole(old: Context) -> None:
    await jobs.retain(old)
    assert await seqs(old) == list(range(7, 16))
    assert await number(old, CLIENTS) == 3
    assert await faults(old) == {}
    await jobs.retain(old)
    assert len(await seqs(old)) == 9


async def test_a_deletion_that_stops_halfway_leaves_it_whole(old: Context) -> None:
    async with old.db.begin() as tx:
        assert (await tx.scalars(text("SELECT audit_cut(min(chain), '365 days', 4) FROM audit_chains"))).one() == 4
    assert await seqs(old) == list(range(5, 16))
    assert await faults(old) == {}
    await tamper(old, "UPDATE audit_events SET name = 'x' WHERE seq = 5")
    assert "event 5" in str(await faults(old))


async def test_nothing_younger_than_a_month_can_be_deleted_or_than_a_week_be_blanked(old: Context) -> None:
    async with old.db.begin() as tx:
        await tx.execute(text("SELECT audit_cut(chain, '-10 years', 1000) FROM audit_chains"))
        await tx.execute(text("SELECT audit_blank('-10 years', 1000)"))
    assert await seqs(old) == [13, 14, 15]
    assert await number(old, CLIENTS) == 3
    assert await faults(old) == {}


async def test_what_was_never_sealed_is_not_deleted(ctx: Context, clock: MovedClock) -> None:
    clock.advance(days=-400)
    await record(ctx, 3)
    clock.advance(days=400)
    await jobs.retain(ctx)
    assert await seqs(ctx) == [1, 2, 3]
    await jobs.seal(ctx)
    await jobs.retain(ctx)
    assert await seqs(ctx) == [1, 2, 3]  # the seal is of today, and only an old one tells that they are old


async def test_who_is_gone_can_be_forgotten_and_the_chain_holds(
    ctx: Context, api: httpx.AsyncClient, ada: Person
) -> None:
    bob = await sign_up(api, BOB)
    await jobs.seal(ctx)
    user_id = UUID(ada.tokens["user"]["id"])
    with pytest.raises(DBAPIError, match="only those who are gone"):
        async with ctx.db.begin() as tx:
            await service.forget(ctx, tx, user_id)
    async with ctx.db.begin() as tx:
        await tx.execute(text("DELETE FROM users WHERE id = :id"), {"id": user_id})
        await service.forget(ctx, tx, user_id)
    assert await faults(ctx) == {}
    async with ctx.db() as tx:
        rows = await tx.execute(text("SELECT user_id, ip, user_agent, salt FROM audit_events"))
        kept = {(row.user_id == user_id, bool(row.ip), bool(row.user_agent), bool(row.salt)) for row in rows}
    assert kept == {(True, False, False, False), (False, True, True, True)}
    assert (await mine(bob)).json()["events"][0]["ip"]


async def test_an_event_whose_client_was_taken_off_is_shown_without(
    ctx: Context, ada: Person, clock: MovedClock
) -> None:
    clock.advance(days=-100)
    async with ctx.db.begin() as tx:
        await service.record(ctx, tx, "user.signed_up", NOBODY, UUID(ada.tokens["user"]["id"]))
    clock.advance(days=100)
    await jobs.retain(ctx)
    oldest = (await mine(ada)).json()["events"][-1]
    assert (oldest["ip"], oldest["device"]) == (None, None)


def test_no_setting_deletes_sooner_than_the_database_allows() -> None:
    fields = {name: timedelta(days=days) for name, days in (("audit_lifetime", 30), ("audit_client_lifetime", 7))}
    for name, least in fields.items():
        (bound,) = Settings.model_fields[name].metadata
        assert timedelta(seconds=bound.ge) == least
