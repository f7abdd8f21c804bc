"""Guesses by the hundred, over two processes."""

import asyncio

from authapi.core.context import open_context
from authapi.core.http import Client
from authapi.signin import failures, store
from tests.races.conftest import Site
from tests.support.people import ADA, PREFIX, sign_up
from tests.support.proof import Prove

GUESSES = 200


async def test_two_hundred_simultaneous_guesses_count_exactly_and_few_are_hashed(site: Site, prove: Prove) -> None:
    """`level` counts the tries that were let through, and only those are hashed."""
    await sign_up(site.a)
    sides = [site.a, site.b]
    bodies = [ADA | {"password": f"guess number {number}"} for number in range(GUESSES)]
    replies = await asyncio.gather(*(sides[i % 2].post(f"{PREFIX}/login", json=bodies[i]) for i in range(GUESSES)))
    assert [reply.status_code for reply in replies] == [401] * GUESSES
    async with open_context(site.settings) as ctx, ctx.db() as tx:
        account = await store.by_key(tx, failures.account(ctx, "ada@example.com"))
        address = await store.by_key(tx, failures.address(ctx, Client("127.0.0.1", "")))
    assert account is not None
    assert address is not None
    prove(
        "R-guesses",
        f"{GUESSES} wrong passwords for one account at once, over two processes",
        number=account.failures,
        bar=f"exactly {GUESSES} counted",
        passed=(account.failures, address.failures) == (GUESSES, GUESSES),
    )
    prove(
        "R-guesses-hashed",
        f"{GUESSES} wrong passwords for one account at once, over two processes",
        number=account.level,
        bar="at most 10 of them verified",
        passed=6 <= account.level == address.level <= 10,
    )


async def test_the_owner_gets_in_from_a_known_device_in_the_middle_of_it(site: Site) -> None:
    ada = await sign_up(site.a)
    sides = [site.a, site.b]

    async def guess(number: int) -> int:
        return (await sides[number % 2].post(f"{PREFIX}/login", json=ADA | {"password": "a guess"})).status_code

    async def come_back() -> int:
        body = ADA | {"device_token": ada.tokens["device_token"]}
        return (await site.b.post(f"{PREFIX}/login", json=body)).status_code

    *guesses, back = await asyncio.gather(*(guess(number) for number in range(60)), come_back())
    assert (set(guesses), back) == ({401}, 200)


async def test_simultaneous_right_passwords_leave_no_failure_behind(site: Site) -> None:
    await sign_up(site.a)
    sides = [site.a, site.b]
    replies = await asyncio.gather(*(sides[i % 2].post(f"{PREFIX}/login", json=ADA) for i in range(20)))
    assert [reply.status_code for reply in replies] == [200] * 20
    async with open_context(site.settings) as ctx, ctx.db() as tx:
        account = await store.by_key(tx, failures.account(ctx, "ada@example.com"))
        address = await store.by_key(tx, failures.address(ctx, Client("127.0.0.1", "")))
    assert account is not None
    assert (account.failures, account.level, address) == (0, 0, None)
