"""Signing in from somewhere new: the owner is told; and what else a sign-in may have to do besides."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text, update

from authapi.app import create_app
from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.methods.password.models import Password
from authapi.users.models import User
from tests.conftest import Start
from tests.support.inbox import Inbox
from tests.support.people import ADA, PREFIX, Person, bearer, log_in, sign_up

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def device(ctx: Context, ip: str = "127.0.0.1", user_agent: str = FIREFOX) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(ctx), client=(ip, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers={"user-agent": user_agent})


async def told(inbox: Inbox) -> int:
    """How many mails the owner has got since they were last counted here."""
    before: set[int] = getattr(inbox, "counted", set())
    letters = {id(letter.message) for letter in await inbox.all(to="ada@example.com")}
    inbox.counted = letters  # type: ignore[attr-defined]
    return len(letters - before)


@pytest.fixture
async def settled(ada: Person, inbox: Inbox) -> Person:
    """Ada, who has had the mail of her sign-up."""
    await told(inbox)
    return ada


async def test_a_sign_in_from_another_browser_is_told_to_the_owner(settled: Person, ctx: Context, inbox: Inbox) -> None:
    async with device(ctx, "203.0.113.7") as laptop:
        await log_in(laptop)
    assert await told(inbox) == 1
    letter = await inbox.last(to="ada@example.com")
    assert "Firefox on Linux" in letter.text
    assert "203.0.113.7" in letter.text


async def test_the_same_browser_at_the_same_place_is_told_of_once(settled: Person, ctx: Context, inbox: Inbox) -> None:
    await log_in(settled.api)
    assert await told(inbox) == 0
    for expected in (1, 0):
        async with device(ctx) as laptop:
            await log_in(laptop)
        assert await told(inbox) == expected


async def test_a_session_that_is_over_still_vouches_for_its_device(settled: Person, inbox: Inbox) -> None:
    await settled.log_out(scope="all")
    await log_in(settled.api)
    assert await told(inbox) == 0


async def test_a_device_with_its_token_may_move_and_be_updated(settled: Person, ctx: Context, inbox: Inbox) -> None:
    async with device(ctx, "203.0.113.7", "another version") as moved:
        await log_in(moved, device_token=settled.tokens["device_token"])
    assert await told(inbox) == 0


async def test_an_ipv6_network_is_one_place(settled: Person, ctx: Context, inbox: Inbox) -> None:
    for ip, expected in (("2001:db8:1:2::1", 1), ("2001:db8:1:2:ffff::2", 0), ("2001:db8:1:3::1", 1)):
        async with device(ctx, ip) as laptop:
            await log_in(laptop)
        assert await told(inbox) == expected, ip


async def test_who_comes_back_after_their_sessions_are_forgotten_is_told(
    settled: Person, ctx: Context, inbox: Inbox
) -> None:
    async with ctx.db.begin() as tx:
        await tx.execute(text("DELETE FROM sessions"))
    await log_in(settled.api)
    assert await told(inbox) == 1


async def test_the_first_session_of_all_is_no_news(settled: Person, ctx: Context, inbox: Inbox) -> None:
    async with ctx.db.begin() as tx:
        await tx.execute(text("SET LOCAL session_replication_role = replica"))  # the triggers of the audit refuse
        await tx.execute(text("DELETE FROM sessions"))
        await tx.execute(text("DELETE FROM audit_events"))
    async with device(ctx) as laptop:
        await log_in(laptop)
    assert await told(inbox) == 0


async def test_a_sign_in_that_is_rolled_back_tells_nobody(settled: Person, ctx: Context, inbox: Inbox) -> None:
    async with ctx.db.begin() as tx:
        await tx.execute(text("ALTER TABLE sessions ADD CONSTRAINT never CHECK (false) NOT VALID"))
    async with device(ctx) as laptop:
        with pytest.raises(AssertionError, match="internal_error"):
            await log_in(laptop)
    async with ctx.db.begin() as tx:
        await tx.execute(text("ALTER TABLE sessions DROP CONSTRAINT never"))
    assert await told(inbox) == 0


async def test_who_must_verify_first_is_told_so_with_the_right_password_only(start: Start) -> None:
    _, api = await start()
    await sign_up(api)
    ctx, api = await start(email_verification="required")
    reply = await api.post(f"{PREFIX}/login", json=ADA)
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (
        403,
        "email_unverified",
        "verify_email",
    )
    wrong = await api.post(f"{PREFIX}/login", json=ADA | {"password": "not this one"})
    nobody = await api.post(f"{PREFIX}/login", json=ADA | {"email": "nobody@example.com"})
    assert wrong.status_code == nobody.status_code == 401
    assert [reply.json() | {"request_id": ""} for reply in (wrong,)] == [nobody.json() | {"request_id": ""}]
    async with ctx.db.begin() as tx:
        assert len((await tx.execute(text("SELECT 1 FROM sessions"))).all()) == 1
        await tx.execute(text("UPDATE users SET email_verified_at = now()"))
    assert (await api.post(f"{PREFIX}/login", json=ADA)).status_code == 200


async def test_the_right_password_is_no_failure_although_the_address_is_unverified(start: Start) -> None:
    _, api = await start()
    await sign_up(api)
    _, api = await start(email_verification="required")
    assert [(await api.post(f"{PREFIX}/login", json=ADA)).status_code for _ in range(8)] == [403] * 8


async def test_signing_in_restores_who_was_leaving_and_tells_them(settled: Person, ctx: Context, inbox: Inbox) -> None:
    await settled.api.delete("/api/v1/users/me", headers=bearer(settled.access_token))
    assert await told(inbox) == 1
    await log_in(settled.api)
    assert await told(inbox) == 1
    async with ctx.db() as tx:
        assert (await tx.scalars(select(User.erase_at))).one() is None
        names = (await tx.scalars(select(AuditEvent.name).where(AuditEvent.name == "user.restored"))).all()
    assert names == ["user.restored"]


async def waiting_for_a_lock(ctx: Context) -> None:
    async with ctx.single.connect() as connection:
        while not await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            pass


@pytest.mark.parametrize(
    "changes",
    [
        [update(Password).values(hash="another")],
        [select(User.id).with_for_update(), update(Password).values(hash="another")],
        [update(User).values(first_name="Ada"), update(Password).values(hash="another")],
        [text("UPDATE users SET disabled_at = now()")],
    ],
    ids=["password", "password, person locked", "password, person changed", "disabled"],
)
async def test_a_login_in_flight_comes_after_what_it_waited_for(ada: Person, ctx: Context, changes: list[Any]) -> None:
    async with ctx.db() as change:
        for statement in changes:
            await change.execute(statement)
        login = asyncio.create_task(ada.api.post(f"{PREFIX}/login", json=ADA))
        await waiting_for_a_lock(ctx)
        await change.commit()
    assert (await login).status_code == 401
    async with ctx.db() as tx:
        assert len((await tx.execute(text("SELECT 1 FROM sessions"))).all()) == 1


async def test_what_a_login_ends_to_make_room_is_on_record(start: Start) -> None:
    ctx, api = await start(sessions_per_user=1)
    people = [await sign_up(api)] + [await log_in(api) for _ in range(3)]
    async with ctx.db() as tx:
        named = AuditEvent.name == "session.ended"
        rows = (await tx.execute(select(AuditEvent.session_id, AuditEvent.id, AuditEvent.data).where(named))).all()
    assert {str(row.session_id) for row in rows} == {person.session_id for person in people[:3]}
    assert {row.data["reason"] for row in rows} == {"too_many_sessions"}
    assert {row.id.version for row in rows} == {7}
