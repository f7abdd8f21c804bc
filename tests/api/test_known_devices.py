"""Devices that somebody signed in from before: strangers do not hold them up."""

from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from authapi.core.context import Context
from authapi.signin import devices
from authapi.signin.models import SignInFailures
from tests.conftest import Start
from tests.support.guesses import account, elsewhere, fail, passes
from tests.support.outside import MovedClock
from tests.support.people import BOB, Person, log_in, sign_up


async def test_a_device_that_signed_in_before_gets_in_while_strangers_wait(ada: Person, ctx: Context) -> None:
    async with elsewhere(ctx) as stranger:
        await fail(stranger, 8)
    assert not await passes(ada.api)
    assert await passes(ada.api, device_token=ada.tokens["device_token"])
    assert not await passes(ada.api)  # and that has not given the strangers another five


async def test_a_known_device_gets_in_although_its_address_waits(start: Start) -> None:
    _, api = await start(sign_in_free_failures_per_address=1)
    ada = await sign_up(api)
    await fail(api, 2, email="nobody@example.com")
    assert not await passes(api)
    assert await passes(api, device_token=ada.tokens["device_token"])


async def test_a_known_device_waits_for_its_own_failures_only(ada: Person, ctx: Context, clock: MovedClock) -> None:
    token = ada.tokens["device_token"]
    await fail(ada.api, 6, device_token=token)
    assert not await passes(ada.api, device_token=token)
    async with ctx.db() as tx:
        assert len((await tx.scalars(select(SignInFailures))).all()) == 1  # neither account nor address
    assert await passes(ada.api)
    clock.advance(seconds=1)
    assert await passes(ada.api, device_token=token)


async def test_the_same_device_keeps_its_name(ada: Person, ctx: Context) -> None:
    def device(person: Person) -> UUID:
        known = devices.read(ctx.vault.keys(devices.PURPOSE), person.tokens["device_token"])
        assert known is not None
        return known.id

    again = await log_in(ada.api, device_token=ada.tokens["device_token"])
    assert device(again) == device(ada)
    assert device(await log_in(ada.api)) != device(ada)


async def test_another_persons_device_token_is_as_none(ada: Person, ctx: Context) -> None:
    bob = await sign_up(ada.api, BOB)
    await fail(ada.api, 6)
    assert not await passes(ada.api, device_token=bob.tokens["device_token"])
    assert (await account(ctx)).failures == 7


@pytest.mark.parametrize("change", ["", "x", "dt_", "dt_\u00e9", "dt_AQ", "cut", "longer", "flipped", "prefix"])
async def test_a_device_token_that_is_no_good_is_ignored(ada: Person, change: str) -> None:
    token = ada.tokens["device_token"]
    middle = len(token) // 2
    bad = {
        "cut": token[:-1],
        "longer": token + "A",
        "flipped": token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :],
        "prefix": "rt_" + token.removeprefix("dt_"),
    }.get(change, change)
    assert await passes(ada.api, device_token=bad)
    await fail(ada.api, 6)
    assert not await passes(ada.api, device_token=bad)


async def test_a_device_token_outlives_the_root_secret_that_made_it(start: Start) -> None:
    old, api = await start()
    token = (await sign_up(api)).tokens["device_token"]
    secret = SecretStr("another root secret for these tests 0123456789")
    new, api = await start(secret=secret, earlier_secrets=(old.settings.secret,))
    await fail(api, 6)
    renewed = (await log_in(api, device_token=token)).tokens["device_token"]
    key_id, key = next(iter(new.vault.keys(devices.PURPOSE).items()))
    known, device = devices.read(old.vault.keys(devices.PURPOSE), token), devices.read({key_id: key}, renewed)
    assert known is not None
    assert device is not None
    assert (device.user_id, device.id) == (known.user_id, known.id)
    assert devices.read({key_id: key}, token) is None
