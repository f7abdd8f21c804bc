"""Two processes write events at once: nobody waits for anybody else's event, and every chain stays whole."""

import asyncio

from sqlalchemy import text

from authapi.audit import jobs, service, verification
from authapi.core.context import open_context
from tests.races.conftest import Site
from tests.support.people import PREFIX, Person, sign_up
from tests.support.tampering import NOBODY, faults, record

AT_ONCE = 8


async def busy(site: Site, number: int) -> None:
    email = {"email": f"person{number}@example.com", "password": "correct horse battery staple"}
    one, other = (site.a, site.b) if number % 2 else (site.b, site.a)
    person: Person = await sign_up(one, email)
    await asyncio.gather(
        other.post(f"{PREFIX}/login", json=email),
        one.post(f"{PREFIX}/login", json=email | {"password": "wrong"}),
        person.log_out(scope="all"),
    )


async def test_chains_of_events_written_at_once_stay_whole(site: Site) -> None:
    async with open_context(site.settings) as ctx:
        for _ in range(2):
            people = [busy(site, number) for number in range(AT_ONCE)]
            await asyncio.gather(*people, *(record(ctx, 20) for _ in range(8)), jobs.seal(ctx), jobs.retain(ctx))
            async with ctx.db.begin() as tx:
                await tx.execute(text("DELETE FROM users"))
        report = await verification.verify(ctx, lambda _: None)
        assert report.faults == {}
        assert report.events >= 2 * (AT_ONCE * 4 + 8 * 20)
        assert report.chains >= 2
        await jobs.seal(ctx)
        assert await faults(ctx) == {}


async def test_an_event_does_not_wait_for_one_that_is_not_committed(site: Site) -> None:
    async with open_context(site.settings) as ctx:
        await record(ctx)
        async with ctx.db() as slow:
            await service.record(ctx, slow, "sign_in.refused", NOBODY)
            await asyncio.wait_for(record(ctx, 3), 1)
            await slow.commit()
        assert await faults(ctx) == {}
        async with ctx.db() as tx:
            heads = (await tx.scalars(text("SELECT seq FROM audit_chains ORDER BY chain"))).all()
        assert heads == [2, 3]


async def test_two_that_take_the_same_two_chains_do_not_block_each_other(site: Site) -> None:
    """Whatever other locks they wait for, the chains are never part of a deadlock."""
    async with open_context(site.settings) as ctx, ctx.db() as one, ctx.db() as other:
        for tx in (one, other, one, other):
            await asyncio.wait_for(service.record(ctx, tx, "sign_in.refused", NOBODY), 1)
        await one.commit()
        await other.commit()
        assert await faults(ctx) == {}
