"""Leaving: signed out at once, back by signing in, erased when the days are over."""

from typing import Any

import httpx
from sqlalchemy import select, text

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.core.db import Table
from authapi.signin import departure, oversight
from authapi.users.models import User
from tests.conftest import Start
from tests.support.contract import leaks
from tests.support.inbox import Inbox
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PREFIX, Person, bearer, log_in, sign_up

ME = "/api/v1/users/me"
GRACE = {"days": 14, "minutes": 1}


async def leave(person: Person) -> httpx.Response:
    return await person.api.delete(ME, headers=bearer(person.access_token))


async def people(ctx: Context) -> set[str]:
    async with ctx.db() as tx:
        return set(await tx.scalars(select(User.email)))


async def events(ctx: Context, name: str) -> list[AuditEvent]:
    async with ctx.db() as tx:
        return list(await tx.scalars(select(AuditEvent).where(AuditEvent.name == name)))


async def test_who_leaves_is_signed_out_everywhere_at_once(ada: Person) -> None:
    phone = await log_in(ada.api)
    bob = await sign_up(ada.api, BOB)
    reply = await leave(ada)
    assert reply.status_code == 202
    assert (reply.json()["status"], sorted(reply.json())) == ("leaving", ["erase_at", "status"])
    for device in (ada, phone):
        assert (await device.session()).json()["reason"] == "account_left"
        assert (await device.refresh()).json()["reason"] == "account_left"
    assert (await bob.session()).status_code == 200


async def test_who_leaves_is_told_until_when_they_can_come_back(ada: Person, inbox: Inbox, ctx: Context) -> None:
    erase_at = (await leave(ada)).json()["erase_at"]
    async with ctx.db() as tx:
        stored = (await tx.scalars(select(User.erase_at))).one()
    assert stored is not None
    assert erase_at == stored.isoformat().replace("+00:00", "Z")
    mail = await inbox.last(to="ada@example.com")
    assert str(stored.year) in mail.text


async def test_leaving_needs_a_recent_sign_in(ada: Person, clock: MovedClock, ctx: Context) -> None:
    clock.advance(minutes=6)
    reply = await leave(ada)
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (
        403,
        "recent_sign_in_needed",
        "step_up",
    )
    assert (await ada.session()).status_code == 200
    assert await events(ctx, "user.leaving") == []
    assert (await leave(await log_in(ada.api))).status_code == 202


async def test_leaving_twice_is_too_late(ada: Person, ctx: Context) -> None:
    await leave(ada)
    assert (await leave(ada)).json()["code"] == "session_ended"
    assert len(await events(ctx, "user.leaving")) == 1


async def test_signing_in_brings_the_account_back(ada: Person, clock: MovedClock, ctx: Context) -> None:
    await leave(ada)
    clock.advance(days=13)
    back = await log_in(ada.api)
    assert (await back.session()).status_code == 200
    assert len(await events(ctx, "user.restored")) == 1
    clock.advance(days=6)
    await departure.erase(ctx)
    assert (await back.refresh()).status_code == 200


async def test_nobody_is_erased_before_their_time(ada: Person, clock: MovedClock, ctx: Context) -> None:
    await leave(ada)
    clock.advance(days=13, hours=23)
    await departure.erase(ctx)
    assert await people(ctx) == {"ada@example.com"}


async def test_when_the_days_are_over_nothing_names_the_person(start: Start, clock: MovedClock, inbox: Inbox) -> None:
    """Every table is searched, and Redis: only the record still has the person's number, with nothing beside it."""
    ctx, api = await start(email_verification="optional")
    name = {"first_name": "Augusta", "last_name": "Lovelace"}
    ada = await sign_up(api, ADA, **name)
    await sign_up(api, BOB)
    await api.post(f"{PREFIX}/login", json=ADA | {"password": "wrong"})
    await api.post(f"{PREFIX}/password/forgot", json={"email": ADA["email"]})
    await inbox.last(to="ada@example.com")
    picture = "https://pictures.example.com/countess.png"
    await api.patch(ME, json={"picture_url": picture}, headers=bearer(ada.access_token))
    await api.patch(f"{PREFIX}/sessions/{ada.session_id}", json={"label": "Kitchen"}, headers=bearer(ada.access_token))
    user_id = ada.tokens["user"]["id"]
    await leave(ada)
    await inbox.last(to="ada@example.com")
    named = {text: text for text in ("ada@example.com", *name.values(), picture, "Kitchen")}
    assert {finding.partition(" is in ")[0] for finding in leaks.found(named, await leaks.tables(ctx))} == set(named)

    clock.advance(**GRACE)
    await departure.erase(ctx)
    assert await people(ctx) == {"bob@example.com"}
    assert leaks.found(named, await leaks.tables(ctx) | await leaks.redis(ctx)) == []
    assert leaks.found({"the number": user_id}, await leaks.tables(ctx)) == [
        "the number is in table public.audit_events"
    ]
    left = [event for event in await everything(ctx) if str(event.user_id) == user_id]
    assert {event.name for event in left} >= {"user.signed_up", "sign_in.refused", "user.leaving", "user.erased"}
    assert {(event.ip, event.user_agent) for event in left} == {("", "")}


async def everything(ctx: Context) -> list[AuditEvent]:
    async with ctx.db() as tx:
        return list(await tx.scalars(select(AuditEvent)))


async def test_the_address_is_free_again_and_the_password_is_no_longer_good(
    ada: Person, clock: MovedClock, ctx: Context
) -> None:
    await leave(ada)
    clock.advance(**GRACE)
    await departure.erase(ctx)
    assert (await ada.api.post(f"{PREFIX}/login", json=ADA)).json()["code"] == "invalid_credentials"
    again = await sign_up(ada.api, ADA)
    assert again.tokens["user"]["id"] != ada.tokens["user"]["id"]


async def test_erasing_is_done_once_however_often_it_is_run(ada: Person, clock: MovedClock, ctx: Context) -> None:
    await leave(ada)
    clock.advance(**GRACE)
    await departure.erase(ctx)
    await departure.erase(ctx)
    assert len(await events(ctx, "user.erased")) == 1


async def test_more_people_than_a_batch_are_erased(ctx: Context, api: httpx.AsyncClient, clock: MovedClock) -> None:
    count = departure.BATCH + 3
    for number in range(count):
        await leave(await sign_up(api, ADA | {"email": f"ada{number}@example.com"}))
    clock.advance(**GRACE)
    await departure.erase(ctx)
    assert await people(ctx) == set()
    assert len(await events(ctx, "user.erased")) == count


async def test_without_a_grace_period_one_is_erased_when_the_last_access_token_has_expired(
    start: Start, clock: MovedClock
) -> None:
    ctx, api = await start(erase_after=0)
    ada = await sign_up(api)
    await leave(ada)
    await departure.erase(ctx)
    assert await people(ctx) == {"ada@example.com"}
    clock.advance(minutes=62)
    await departure.erase(ctx)
    assert await people(ctx) == set()
    assert (await ada.refresh()).json()["code"] == "invalid_token"


async def test_somebody_who_is_signing_in_is_not_erased(ada: Person, clock: MovedClock, ctx: Context) -> None:
    await leave(ada)
    clock.advance(**GRACE)
    async with ctx.db.begin() as tx:
        await tx.execute(text("SELECT id FROM users FOR NO KEY UPDATE"))
        await departure.erase(ctx)
        assert await people(ctx) == {"ada@example.com"}
    await departure.erase(ctx)
    assert await people(ctx) == set()


async def test_who_never_proves_their_address_goes_where_that_is_required(start: Start, clock: MovedClock) -> None:
    _, lenient = await start(email_verification="optional")
    old = await sign_up(lenient, ADA | {"email": "old@example.com"})
    clock.advance(days=29)
    await sign_up(lenient, ADA | {"email": "new@example.com"})
    clock.advance(days=1, minutes=1)
    ctx, _ = await start(email_verification="required")
    await departure.dismiss_unverified(ctx)
    await departure.dismiss_unverified(ctx)
    assert (await old.refresh()).json()["reason"] == "never_verified"
    assert [event.data for event in await events(ctx, "user.leaving")] == [{"by": "housekeeping"}]
    clock.advance(minutes=62)
    await departure.erase(ctx)
    assert await people(ctx) == {"new@example.com"}


async def test_where_it_is_not_required_nobody_goes(start: Start, clock: MovedClock) -> None:
    ctx, api = await start(email_verification="optional")
    await sign_up(api)
    clock.advance(days=400)
    await departure.dismiss_unverified(ctx)
    assert await events(ctx, "user.leaving") == []


async def test_whoever_proved_their_address_stays(start: Start, clock: MovedClock, inbox: Inbox) -> None:
    ctx, api = await start(email_verification="required")
    await api.post(f"{PREFIX}/signup", json=ADA)
    await api.post(f"{PREFIX}/email/verify", json={"token": (await inbox.last(to=ADA["email"])).token})
    clock.advance(days=31)
    await departure.dismiss_unverified(ctx)
    assert await events(ctx, "user.leaving") == []
    assert await people(ctx) == {"ada@example.com"}


async def test_erasing_leaves_no_table_that_knows_the_person(ada: Person, clock: MovedClock, ctx: Context) -> None:
    """Every table with a person in it, whichever are added: one that forgets to hang on `users` is found here."""
    client = ada.tokens["user"]["id"]
    await oversight.delete(ctx, departure.WORKER, client)
    clock.advance(minutes=62)
    await departure.erase(ctx)
    about = [table for table in Table.metadata.sorted_tables if "user_id" in table.columns or table.name == "users"]
    assert len(about) >= 6
    kept: dict[str, Any] = {}
    async with ctx.db() as tx:
        for table in about:
            owner = table.columns["id" if table.name == "users" else "user_id"]
            kept[table.name] = len((await tx.execute(select(owner).where(owner == client))).all())
    assert {name for name, rows in kept.items() if rows} == {"audit_events"}
