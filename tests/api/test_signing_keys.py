"""Signing keys move on: next, current, previous; on two instances, under a moved clock, under a changed secret."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from authapi.core.context import Context, build
from authapi.core.settings import Misconfigured, Settings
from authapi.sessions import keys, pulse
from authapi.sessions.keys import TooSoon
from authapi.sessions.models import StoredKey
from tests.conftest import SECRET, Start
from tests.support.forging import parts
from tests.support.outside import MovedClock
from tests.support.people import PREFIX, Person, bearer, log_in, sign_up

DAY = 86400
NEWER = SecretStr("a newer root secret for the tests, 9876543210")


def kid(person: Person) -> str:
    return str(parts(person.access_token)[0]["kid"])


async def states(ctx: Context) -> list[str]:
    """Sorted: the first two keys are made in the same moment, so their order is chance."""
    order = ["previous", "current", "next"]
    return sorted((keys.state_of(key) for key in await keys.status(ctx)), key=order.index)


async def kid_of(ctx: Context, state: str) -> str:
    return next(key.kid for key in await keys.status(ctx) if keys.state_of(key) == state)


async def published(api: httpx.AsyncClient) -> list[str]:
    return [key["kid"] for key in (await api.get("/.well-known/jwks.json")).json()["keys"]]


async def accepts(api: httpx.AsyncClient, *people: Person) -> list[int]:
    return [(await person.session(at=api)).status_code for person in people]


async def test_the_first_instance_makes_two_keys_and_the_second_uses_the_same(start: Start) -> None:
    first, api = await start()
    second, other = await start()
    assert await states(first) == ["current", "next"]
    assert await published(api) == await published(other)
    ada = await sign_up(api)
    assert await accepts(other, ada, await log_in(other)) == [200, 200]
    assert second.keyring.jwks == first.keyring.jwks


async def test_before_and_after_a_rotation_every_token_is_good_everywhere(start: Start) -> None:
    first, api = await start()
    _, other = await start()
    ada = await sign_up(api)
    following = await keys.rotate(first, force=True)
    await pulse.beat(first)
    phone = await log_in(api)
    assert kid(phone) == following != kid(ada)
    assert await accepts(api, ada, phone) == [200, 200]
    assert await accepts(other, ada, phone) == [200, 200]  # it has not beaten yet: the new key was its next one
    assert kid(await log_in(other)) == kid(ada)  # and it still signs with what is the previous key by now
    assert await accepts(api, await log_in(other)) == [200]


async def test_after_a_beat_the_other_instance_signs_with_the_new_key(start: Start) -> None:
    first, _ = await start()
    second, other = await start()
    ada = await sign_up(other)
    following = await keys.rotate(first, force=True)
    await pulse.beat(second)
    assert kid(await log_in(other)) == following
    assert await accepts(other, ada) == [200]
    assert await states(second) == ["previous", "current", "next"]


async def _rotated_twice(start: Start) -> tuple[Context, httpx.AsyncClient, Person]:
    """(the second instance, before its beat, its client, somebody with a token of a key it has never heard of)."""
    first, api = await start()
    second, other = await start()
    await sign_up(api)
    for _ in range(2):
        await keys.rotate(first, force=True)
    await pulse.beat(first)
    return second, other, await log_in(api)


async def test_after_two_forced_rotations_the_other_instance_needs_a_beat(start: Start) -> None:
    second, other, ada = await _rotated_twice(start)
    refused = await ada.session(at=other)
    if refused.status_code != 200:
        assert refused.json()["action"] == "refresh"  # nobody is signed out by it
    assert (await ada.refresh(at=other)).status_code == 200
    await pulse.beat(second)
    assert await accepts(other, ada, await log_in(other)) == [200, 200]


async def test_two_forced_rotations_refuse_no_valid_token(start: Start) -> None:
    _, other, ada = await _rotated_twice(start)
    assert await accepts(other, ada) == [200]


async def test_a_rotation_waits_until_the_next_key_has_been_published_long_enough(
    ctx: Context, api: httpx.AsyncClient, clock: MovedClock
) -> None:
    before = await published(api)
    with pytest.raises(TooSoon, match=r"3\d\d seconds more"):
        await keys.rotate(ctx)
    clock.advance(seconds=keys.MAX_AGE + keys.FOLLOW - 5)
    with pytest.raises(TooSoon):
        await keys.rotate(ctx)
    clock.advance(seconds=6)
    following = await keys.rotate(ctx)
    assert following in before
    with pytest.raises(TooSoon):
        await keys.rotate(ctx)


async def test_two_rotations_at_once_leave_one_current_and_one_next_key(start: Start) -> None:
    first, _ = await start()
    second, _ = await start()
    await asyncio.gather(*(keys.rotate(ctx, force=True) for ctx in (first, second, first, second)))
    assert await states(first) == [*["previous"] * 4, "current", "next"]


async def test_the_worker_moves_on_when_the_key_is_old_enough(
    ctx: Context, api: httpx.AsyncClient, clock: MovedClock
) -> None:
    first, following = await kid_of(ctx, "current"), await kid_of(ctx, "next")
    assert sorted(await published(api)) == sorted([first, following])
    clock.advance(seconds=30 * DAY - 60)
    await keys.maintain(ctx)
    assert await kid_of(ctx, "current") == first
    clock.advance(seconds=61)
    await keys.maintain(ctx)
    assert await kid_of(ctx, "current") == following
    assert await states(ctx) == ["previous", "current", "next"]


async def test_a_previous_key_is_published_until_its_last_token_has_expired(
    ctx: Context, api: httpx.AsyncClient, clock: MovedClock
) -> None:
    ada = await sign_up(api)
    await keys.rotate(ctx, force=True)
    for seconds in (0, 600, 329 - keys.FOLLOW - 1):
        clock.advance(seconds=seconds)
        await keys.maintain(ctx)
        await pulse.beat(ctx)
        assert await accepts(api, ada) == [200]
    clock.advance(seconds=400)
    await keys.maintain(ctx)
    await pulse.beat(ctx)
    assert await states(ctx) == ["current", "next"]
    assert kid(ada) not in await published(api)


async def test_others_may_cache_the_key_set_for_five_minutes(api: httpx.AsyncClient, ctx: Context) -> None:
    await keys.rotate(ctx, force=True)
    await pulse.beat(ctx)
    reply = await api.get("/.well-known/jwks.json")
    assert reply.headers["cache-control"] == "public, max-age=300"
    assert reply.headers["content-type"] == "application/json"
    assert len(reply.json()["keys"]) == 3
    for key in reply.json()["keys"]:
        assert (key["use"], key["alg"]) == ("sig", "ES256")
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k", "key_ops"}


@pytest.mark.parametrize("later", ["EdDSA", "RS256"])
async def test_another_algorithm_takes_over_without_refusing_one_valid_token(
    start: Start, clock: MovedClock, later: str
) -> None:
    _, api = await start()
    ada = await sign_up(api)
    ctx, changed = await start(signing_algorithm=later)
    assert parts((await log_in(changed)).access_token)[0]["alg"] == "ES256"
    await keys.maintain(ctx)
    assert parts((await log_in(changed)).access_token)[0]["alg"] == "ES256"  # the next key is too young to sign
    clock.advance(seconds=keys.MAX_AGE + keys.FOLLOW + 1)
    await keys.maintain(ctx)
    await pulse.beat(ctx)
    phone = await log_in(changed)
    assert parts(phone.access_token)[0]["alg"] == later
    assert await accepts(changed, ada, phone) == [200, 200]
    assert {key["alg"] for key in (await changed.get("/.well-known/jwks.json")).json()["keys"]} == {"ES256", later}


async def test_two_instances_with_different_algorithms_do_not_take_each_others_next_key_away(start: Start) -> None:
    first, _ = await start()
    second, _ = await start(signing_algorithm="EdDSA")
    await pulse.beat(first)
    seen = set()
    for _ in range(4):
        for ctx in (first, second):
            await pulse.beat(ctx)
            seen.add(await kid_of(ctx, "next"))
    assert len(seen) == 1


async def test_another_root_secret_cannot_open_the_keys_and_says_so(ctx: Context, settings: Settings) -> None:
    stranger = build(settings.model_copy(update={"secret": NEWER}))
    try:
        with pytest.raises(Misconfigured, match="AUTHAPI_EARLIER_SECRETS") as refusal:
            await pulse.beat(stranger)
        assert SECRET not in str(refusal.value)
        assert NEWER.get_secret_value() not in str(refusal.value)
        assert stranger.keyring.is_empty
    finally:
        await stranger.close()


async def test_keys_are_sealed_anew_after_the_secret_changed(start: Start) -> None:
    _, api = await start()
    ada = await sign_up(api)
    ctx, _ = await start(secret=NEWER, earlier_secrets=(SecretStr(SECRET),))
    before = await _sealed(ctx)
    await keys.maintain(ctx)
    assert not set(await _sealed(ctx)) & set(before)
    alone, other = await start(secret=NEWER)
    assert await accepts(other, ada) == [200]
    assert not alone.keyring.is_empty


async def test_a_dead_key_under_an_earlier_secret_is_forgotten_without_a_fault(start: Start, clock: MovedClock) -> None:
    first, _ = await start()
    await keys.rotate(first, force=True)
    ctx, _ = await start(secret=NEWER, earlier_secrets=(SecretStr(SECRET),))
    clock.advance(hours=1)
    await keys.maintain(ctx)
    assert await states(ctx) == ["current", "next"]


async def test_the_database_holds_no_key_in_the_clear(ctx: Context) -> None:
    async with ctx.db() as tx:
        dump = str((await tx.execute(text("SELECT k::text FROM signing_keys AS k"))).all())
    for key in ctx.keyring._keys.values():
        assert key.der().hex() not in dump
        assert key.der()[36:68].hex() not in dump


async def test_a_sealed_key_opens_under_its_own_name_only(start: Start, settings: Settings) -> None:
    ctx, _ = await start()
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE signing_keys SET sealed = (SELECT sealed FROM signing_keys LIMIT 1)"))
    other = build(settings)
    try:
        with pytest.raises(Misconfigured):
            await keys.load(other)
    finally:
        await other.close()


async def test_an_instance_that_cannot_read_the_keys_goes_on_with_those_it_has(start: Start) -> None:
    ctx, api = await start()
    ada = await sign_up(api)
    async with ctx.db.begin() as tx:
        await tx.execute(text("UPDATE signing_keys SET sealed = '\\x00'"))
        await tx.execute(text("UPDATE shared_state SET keys_version = keys_version + 1"))
    with pytest.raises(Misconfigured):
        await pulse.beat(ctx)
    assert await accepts(api, ada, await log_in(api)) == [200, 200]
    assert (await api.get(f"{PREFIX}/session", headers=bearer("a.b.c"))).status_code == 401


async def _sealed(ctx: Context) -> Sequence[bytes]:
    async with ctx.db() as tx:
        return (await tx.scalars(select(StoredKey.sealed))).all()
