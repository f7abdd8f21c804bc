"""Signing in fails: what is counted, who has to wait and for how long, and who does not."""

import asyncio
import math
from typing import Any

import httpx
import pytest
from sqlalchemy import event, select, text

from authapi.audit.models import AuditEvent
from authapi.core.context import Context
from authapi.core.hashing import Busy
from authapi.methods.password import trying
from authapi.signin import failures, jobs
from authapi.signin import store as counters
from authapi.signin.models import SignInFailures
from tests.conftest import Start
from tests.support.gates import Gate, until
from tests.support.guesses import HOME, WRONG, account, counter, elsewhere, fail, passes
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PASSWORD, PREFIX, Person, sign_up

NOBODY = {"email": "nobody@example.com", "password": WRONG}


async def recorded(ctx: Context, name: str) -> list[AuditEvent]:
    async with ctx.db() as tx:
        return list(await tx.scalars(select(AuditEvent).where(AuditEvent.name == name)))


async def test_five_failures_are_free(ada: Person) -> None:
    await fail(ada.api, 5)
    assert await passes(ada.api)


async def test_after_the_sixth_even_the_right_password_waits_a_second(ada: Person, clock: MovedClock) -> None:
    await fail(ada.api, 6)
    assert not await passes(ada.api)
    clock.advance(seconds=1)
    assert await passes(ada.api)


async def test_the_wait_doubles_up_to_a_quarter_of_an_hour_and_comes_to_an_end(
    ada: Person, ctx: Context, clock: MovedClock
) -> None:
    await fail(ada.api, 5)
    waits = []
    for _ in range(13):
        await fail(ada.api)
        found = await account(ctx)
        assert found.blocked_until is not None
        waits.append(round((found.blocked_until - found.last_at).total_seconds()))
        clock.advance(seconds=waits[-1] + 1)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert await passes(ada.api)


async def test_a_try_that_comes_too_early_counts_but_does_not_prolong_the_wait(
    ada: Person, ctx: Context, clock: MovedClock
) -> None:
    await fail(ada.api, 6)
    before = await account(ctx)
    await fail(ada.api, 3)
    after = await account(ctx)
    assert (after.failures, after.level) == (before.failures + 3, before.level)
    assert (after.last_at, after.blocked_until) == (before.last_at, before.blocked_until)
    clock.advance(seconds=1)
    assert await passes(ada.api)


async def test_failures_are_forgotten_evenly_within_a_day(ada: Person, ctx: Context, clock: MovedClock) -> None:
    await fail(ada.api, 5)
    clock.advance(hours=12)
    await fail(ada.api)
    found = await account(ctx)
    assert (found.failures, found.level) == (math.ceil(5 / 2) + 1, math.ceil(5 / 2) + 1)
    clock.advance(days=1)
    await fail(ada.api)
    found = await account(ctx)
    assert (found.failures, found.level, found.blocked_until) == (1, 1, None)


async def test_a_success_clears_the_account_and_leaves_the_address_as_it_was(ada: Person, ctx: Context) -> None:
    await fail(ada.api, 4)
    before = await counter(ctx, failures.address(ctx, HOME))
    assert await passes(ada.api)
    found = await account(ctx)
    assert (found.failures, found.level, found.blocked_until) == (0, 0, None)
    after = await counter(ctx, failures.address(ctx, HOME))
    assert (before.failures, before.level) == (after.failures, after.level) == (4, 4)


async def test_somebody_without_an_account_is_counted_all_the_same(ada: Person, ctx: Context) -> None:
    await fail(ada.api, 7)
    await fail(ada.api, 7, email="nobody@example.com")
    one, other = await account(ctx), await account(ctx, "nobody@example.com")
    assert (one.failures, one.level) == (other.failures, other.level) == (7, 6)


@pytest.mark.parametrize("spelling", ["ADA@example.com", "ada@EXAMPLE.com", " ada@example.com "])
async def test_every_spelling_of_an_address_is_one_account(ada: Person, ctx: Context, spelling: str) -> None:
    await fail(ada.api, 2, email=spelling)
    assert (await account(ctx)).failures == 2


async def test_unknown_wrong_waiting_and_disabled_are_byte_equal(api: httpx.AsyncClient, ctx: Context) -> None:
    for email in ("ada", "bob", "eve"):
        await sign_up(api, {"email": f"{email}@example.com", "password": PASSWORD})
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now() WHERE email_key = 'bob@example.com'"))
    await fail(api, 6)
    replies = [
        await api.post(f"{PREFIX}/login", json=body, headers={"x-request-id": "01980c3e-7d50-7c3e-9a54-3b7a1f0c2d11"})
        for body in (NOBODY, {"email": "eve@example.com", "password": WRONG}, ADA, BOB)
    ]
    told = {
        (
            reply.status_code,
            reply.content.replace(reply.headers["x-request-id"].encode(), b""),
            tuple(
                (name, value)
                for name, value in reply.headers.multi_items()
                if name not in ("x-request-id", "ratelimit", "date")
            ),
        )
        for reply in replies
    }
    assert len(told) == 1
    assert "retry-after" not in replies[2].headers


async def test_unknown_waiting_and_disabled_cost_the_same_statements(ada: Person, ctx: Context) -> None:
    await sign_up(ada.api, BOB)
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE users SET disabled_at = now() WHERE email_key = 'bob@example.com'"))
    await fail(ada.api, 7)  # and opens the connections
    heard: list[str] = []
    for connection in (*ctx.driver._idle, *ctx.batcher._impatient._idle):
        connection.add_query_logger(lambda query: heard.append(query.query))

    def told(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        heard.append(statement)

    engine = ctx.db.kw["bind"].sync_engine
    event.listen(engine, "before_cursor_execute", told)
    costs = []
    for body in (ADA, NOBODY, BOB):
        heard.clear()
        await fail(ada.api, email=body["email"], password=body["password"])
        await asyncio.sleep(0)  # the driver tells its loggers with the next turn of the loop
        costs.append(list(heard))
    event.remove(engine, "before_cursor_execute", told)
    assert costs[0] == costs[1] == costs[2]
    assert len(costs[0]) == 2


async def test_a_waiting_try_takes_as_long_as_a_hash_and_hashes_nothing(start: Start) -> None:
    ctx, api = await start(argon2_time=20, hash_threads=1)
    await sign_up(api)
    await fail(api, 6)
    before, now = ctx.hasher.estimate, asyncio.get_running_loop().time
    shortest, began = min(ctx.hasher._lately), now()
    assert not await passes(api)
    assert now() - began >= shortest
    assert ctx.hasher.estimate == before  # moves with every hash


async def test_when_sign_ins_begin_to_wait_it_is_on_record_once(ada: Person, ctx: Context) -> None:
    await fail(ada.api, 9)
    (throttled,) = await recorded(ctx, "sign_in.throttled")
    assert str(throttled.user_id) == ada.tokens["user"]["id"]
    assert len(await recorded(ctx, "sign_in.refused")) == 9


async def test_many_failures_from_one_address_make_it_wait_whatever_the_accounts(start: Start) -> None:
    ctx, api = await start(sign_in_free_failures_per_address=3)
    await sign_up(api)
    for number in range(4):
        await fail(api, email=f"p{number}@example.com")
    assert not await passes(api)
    async with elsewhere(ctx) as other:
        assert await passes(other)


async def test_the_addresses_of_an_ipv6_network_wait_together(start: Start) -> None:
    ctx, api = await start(sign_in_free_failures_per_address=3)
    await sign_up(api)
    for number in range(4):
        async with elsewhere(ctx, f"2001:db8:1:2::{number:x}") as other:
            await fail(other, email=f"p{number}@example.com")
    async with elsewhere(ctx, "2001:db8:1:2:ffff::1") as same, elsewhere(ctx, "2001:db8:1:3::1") as next_door:
        assert not await passes(same)
        assert await passes(next_door)


async def test_a_try_that_is_never_hashed_is_not_counted(ada: Person, ctx: Context, start: Start) -> None:
    await fail(ada.api, 2)
    attempt = await trying.claim(ctx, HOME, "ada@example.com", None)
    ctx.hasher._estimate = 1000.0
    gate = Gate()
    hashing = [asyncio.create_task(ctx.hasher.run(gate.work)) for _ in range(2)]
    await until(lambda: ctx.hasher.waiting == 2)
    with pytest.raises(Busy):
        await trying.proven(ctx, attempt, PASSWORD)
    gate.opened.set()
    await asyncio.gather(*hashing)
    found = await account(ctx)
    assert (found.failures, found.level, found.blocked_until) == (2, 2, None)


async def test_a_try_that_was_cut_off_holds_others_up_for_a_moment_only(
    ada: Person, ctx: Context, clock: MovedClock
) -> None:
    await fail(ada.api, 5)
    for wait in (1, 2, 4, 8):
        await fail(ada.api)
        clock.advance(seconds=wait)
    await trying.claim(ctx, HOME, "ada@example.com", None)  # it might be right, so it is waited for
    login = asyncio.create_task(ada.api.post(f"{PREFIX}/login", json=ADA))
    assert not (await asyncio.wait({login}, timeout=0.3))[0]
    clock.advance(seconds=counters.LONGEST_PENDING)
    assert (await login).status_code == 401
    clock.advance(seconds=16)
    await fail(ada.api)
    assert (await account(ctx)).pending == 0


async def test_a_try_that_waits_too_long_for_others_may_come_again(ada: Person, ctx: Context) -> None:
    for _ in range(6):
        await trying.claim(ctx, HOME, "ada@example.com", None)
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE sign_in_failures SET blocked_until = blocked_until + interval '1 minute'"))
    reply = await ada.api.post(f"{PREFIX}/login", json=ADA)
    assert (reply.status_code, reply.json()["code"], reply.json()["action"]) == (503, "busy", "retry")
    assert ((await account(ctx)).failures, (await account(ctx)).level) == (6, 6)


async def test_counters_are_deleted_once_they_are_forgotten(ada: Person, ctx: Context, clock: MovedClock) -> None:
    await fail(ada.api, 1)
    clock.advance(hours=23)
    await fail(ada.api, 1, email="nobody@example.com")
    clock.advance(hours=2)
    await jobs.purge(ctx)
    async with ctx.db() as tx:
        keys = set(await tx.scalars(select(SignInFailures.key)))
    assert keys == {failures.account(ctx, "nobody@example.com"), failures.address(ctx, HOME)}


async def test_no_address_can_be_read_from_a_counter(ada: Person, ctx: Context) -> None:
    await fail(ada.api)
    async with ctx.db() as tx:
        stored = str((await tx.execute(text("SELECT * FROM sign_in_failures"))).all())
    assert "ada" not in stored
    assert "127.0.0.1" not in stored
    assert {len(key) for key in [failures.account(ctx, "ada@example.com"), failures.address(ctx, HOME)]} == {32}
