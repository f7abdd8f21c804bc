"""One-time secrets: what holds for every purpose."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update

from authapi.codes import jobs, store
from authapi.codes import service as codes
from authapi.codes.models import OneTimeSecret
from authapi.codes.service import Issued, Purpose, Spent
from authapi.core.context import Context
from authapi.core.secrets import Vault
from tests.conftest import Start
from tests.support.outside import MovedClock

PURPOSES = list(Purpose)
BINDING = b"ada@example.com"
LIFETIME = 600

every = pytest.mark.parametrize("purpose", PURPOSES)
by_either = pytest.mark.parametrize("by", ["token", "code"])


async def issue(ctx: Context, purpose: Purpose, *, binding: bytes = BINDING, data: bytes = b"") -> Issued:
    async with ctx.db.begin() as tx:
        return await codes.issue(
            ctx, tx, purpose, user_id=None, binding=binding, lifetime_seconds=LIFETIME, with_code=True, data=data
        )


async def spend(
    ctx: Context, purpose: Purpose, issued: Issued, by: str = "token", *, binding: bytes = BINDING
) -> Spent | None:
    async with ctx.db.begin() as tx:
        if by == "token":
            return await codes.spend(ctx, tx, purpose, token=issued.token)
        return await codes.spend(ctx, tx, purpose, binding=binding, code=issued.code)


def wrong(code: str, number: int = 1) -> Issued:
    return Issued("", f"{(int(code) + number) % 10**6:06}")


@every
@by_either
async def test_a_secret_passes_once_and_brings_its_data(ctx: Context, purpose: Purpose, by: str) -> None:
    issued = await issue(ctx, purpose, data=b"what travels along")
    spent = await spend(ctx, purpose, issued, by)
    assert spent is not None
    assert (spent.user_id, spent.data) == (None, b"what travels along")
    for again in ("token", "code"):
        assert await spend(ctx, purpose, issued, again) is None


@by_either
async def test_no_secret_works_at_another_purpose(ctx: Context, by: str) -> None:
    issued = {purpose: await issue(ctx, purpose) for purpose in PURPOSES}
    for made_for in PURPOSES:
        for presented_at in PURPOSES:
            if presented_at is not made_for and issued[made_for].code != issued[presented_at].code:
                assert await spend(ctx, presented_at, issued[made_for], by) is None
    for purpose in PURPOSES:
        assert await spend(ctx, purpose, issued[purpose]) is not None


@every
@by_either
async def test_a_secret_expires_to_the_second(ctx: Context, clock: MovedClock, purpose: Purpose, by: str) -> None:
    in_time, late = await issue(ctx, purpose), await issue(ctx, purpose, binding=b"late")
    clock.advance(seconds=LIFETIME - 1)
    assert await spend(ctx, purpose, in_time, by) is not None
    clock.advance(seconds=1)
    assert await spend(ctx, purpose, late, by, binding=b"late") is None


@every
@by_either
async def test_of_a_hundred_at_once_one_passes(start: Start, purpose: Purpose, by: str) -> None:
    sides = [(await start())[0], (await start())[0]]
    issued = await issue(sides[0], purpose)
    if by == "code":  # wrong ones among them count, and must not let two right ones pass
        tries: Sequence[Issued] = [issued if i % 25 else wrong(issued.code, i + 1) for i in range(100)]
    else:
        tries = [issued] * 100
    outcomes = await asyncio.gather(*(spend(sides[i % 2], purpose, each, by) for i, each in enumerate(tries)))
    assert sum(outcome is not None for outcome in outcomes) == 1


@every
async def test_five_wrong_codes_end_the_code_but_not_the_link(ctx: Context, purpose: Purpose) -> None:
    issued = await issue(ctx, purpose)
    for number in range(1, 6):
        assert await spend(ctx, purpose, wrong(issued.code, number), "code") is None
    assert await spend(ctx, purpose, issued, "code") is None
    assert await spend(ctx, purpose, issued) is not None


async def test_simultaneous_wrong_codes_are_counted_exactly(start: Start) -> None:
    sides = [(await start())[0], (await start())[0]]
    issued = await issue(sides[0], Purpose.VERIFY_ADDRESS)
    guesses = (spend(sides[i % 2], Purpose.VERIFY_ADDRESS, wrong(issued.code, i + 1), "code") for i in range(40))
    assert await asyncio.gather(*guesses) == [None] * 40
    async with sides[0].db() as tx:
        assert await tx.scalar(select(OneTimeSecret.tries)) == store.MOST_TRIES


async def test_four_wrong_codes_leave_a_try(ctx: Context) -> None:
    issued = await issue(ctx, Purpose.VERIFY_ADDRESS)
    for number in range(1, 5):
        await spend(ctx, Purpose.VERIFY_ADDRESS, wrong(issued.code, number), "code")
    assert await spend(ctx, Purpose.VERIFY_ADDRESS, issued, "code") is not None


async def test_a_code_is_good_only_with_its_binding(ctx: Context) -> None:
    issued = await issue(ctx, Purpose.CHANGE_ADDRESS)
    assert await spend(ctx, Purpose.CHANGE_ADDRESS, issued, "code", binding=b"bob@example.com") is None
    assert await spend(ctx, Purpose.CHANGE_ADDRESS, issued, "code") is not None


async def test_of_several_codes_the_newest_counts_and_every_link_stays(ctx: Context) -> None:
    older, newer = await issue(ctx, Purpose.VERIFY_ADDRESS), await issue(ctx, Purpose.VERIFY_ADDRESS)
    if older.code != newer.code:
        assert await spend(ctx, Purpose.VERIFY_ADDRESS, older, "code") is None
    assert await spend(ctx, Purpose.VERIFY_ADDRESS, newer, "code") is not None
    assert await spend(ctx, Purpose.VERIFY_ADDRESS, older) is not None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "\u0661" * 6, "\ud800", "x" * 10_000])
async def test_what_is_no_code_is_a_wrong_one(ctx: Context, code: str) -> None:
    await issue(ctx, Purpose.VERIFY_ADDRESS)
    assert await spend(ctx, Purpose.VERIFY_ADDRESS, Issued("", code), "code") is None


async def test_a_secret_of_the_root_before_is_still_good(start: Start) -> None:
    old, _ = await start()
    issued, other = await issue(old, Purpose.VERIFY_ADDRESS), await issue(old, Purpose.RESET_PASSWORD, data=b"it")
    root = old.settings.secret
    new, _ = await start(secret=SecretStr("another root secret, 0123456789 0123456789"), earlier_secrets=(root,))
    assert await spend(new, Purpose.VERIFY_ADDRESS, issued, "code") is not None
    spent = await spend(new, Purpose.RESET_PASSWORD, other)
    assert spent is not None
    assert spent.data == b"it"


async def test_the_digest_of_a_code_depends_on_a_key(ctx: Context) -> None:
    """So who copies the database cannot find the code by trying a million of them."""
    issued = await issue(ctx, Purpose.VERIFY_ADDRESS)
    root = SecretStr("another root secret, 0123456789 0123456789")
    other = replace(ctx, vault=Vault(ctx.settings.model_copy(update={"secret": root})))
    assert await spend(other, Purpose.VERIFY_ADDRESS, issued, "code") is None
    assert await spend(ctx, Purpose.VERIFY_ADDRESS, issued, "code") is not None


async def test_data_of_one_secret_cannot_be_passed_off_as_anothers(ctx: Context) -> None:
    one = await issue(ctx, Purpose.VERIFY_ADDRESS, data=b"mine")
    await issue(ctx, Purpose.RESET_PASSWORD, data=b"yours")
    swap = "UPDATE one_time_secrets AS s SET data = o.data FROM one_time_secrets AS o WHERE o.id <> s.id"
    async with ctx.db.begin() as tx:
        await tx.execute(text(swap))
    with pytest.raises(Exception, match="data of one-time secrets"):
        await spend(ctx, Purpose.VERIFY_ADDRESS, one)


async def test_spent_and_long_expired_ones_are_deleted_in_batches(
    ctx: Context, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    for _ in range(5):
        await spend(ctx, Purpose.VERIFY_ADDRESS, await issue(ctx, Purpose.VERIFY_ADDRESS))
    await issue(ctx, Purpose.RESET_PASSWORD)
    clock.advance(seconds=LIFETIME + jobs.KEPT - 1)
    live = await issue(ctx, Purpose.VERIFY_ADDRESS)
    await jobs.purge(ctx)
    assert await count(ctx) == 2
    clock.advance(seconds=2)
    await jobs.purge(ctx)
    assert await count(ctx) == 1
    async with ctx.db.begin() as tx:
        await tx.execute(update(OneTimeSecret).values(expires_at=OneTimeSecret.expires_at + timedelta(days=1)))
    assert await spend(ctx, Purpose.VERIFY_ADDRESS, live) is not None


async def count(ctx: Context) -> int:
    async with ctx.db() as tx:
        return int(await tx.scalar(select(func.count()).select_from(OneTimeSecret)) or 0)


def test_codes_are_uniform(ctx: Context) -> None:
    """Chi-squared of the last digit over 20 000 draws: above 40 by chance once in 100 000 runs."""
    counts = [0] * 10
    for _ in range(20_000):
        code = ctx.random.digits(6)
        assert len(code) == 6
        counts[int(code[-1])] += 1
    assert sum((count - 2000) ** 2 / 2000 for count in counts) < 40
