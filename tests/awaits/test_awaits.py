"""Whatever fails wherever a request waits: all of it has happened or nothing, and who asks again is served."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import asyncpg
import pytest
from fastapi import FastAPI

from authapi.app import create_app
from authapi.audit import verification
from authapi.core.context import Context
from authapi.sessions import denylist, pulse
from tests.conftest import Start
from tests.support import errands
from tests.support.awaits import states
from tests.support.awaits.asking import Answer, ask
from tests.support.awaits.cases import CASES, Case, Prepared, Stage
from tests.support.awaits.interrupting import How, Place
from tests.support.awaits.states import Change
from tests.support.calls import ME
from tests.support.gates import until
from tests.support.outside import MovedClock
from tests.support.people import bearer
from tests.support.proof import Prove

SHORT = 13
"""In a run that is no proof only every so manieth place is tried."""


@dataclass
class Tries:
    """What became of `case` at each of its places."""

    case: Case
    stage: Stage
    app: FastAPI
    database: "asyncpg.Connection[asyncpg.Record]"
    whole: Change = field(default_factory=Counter)
    hit: set[Place] = field(default_factory=set)
    done: int = 0
    nothing: int = 0
    faults: list[str] = field(default_factory=list)

    async def untouched(self) -> list[Place]:
        """The places of a request that nothing interrupts; what it changes is the measure of the others."""
        prepared = await self.case.prepare(self.stage)
        before = await states.look(self.database, self.stage.ctx)
        answer, run = await ask(self.app, prepared.call, headers=prepared.headers)
        assert answer.status == self.case.status, answer.body
        self.whole = states.change(before, await states.look(self.database, self.stage.ctx))
        assert self.whole
        return run.places

    async def one(self, at: int, how: How) -> bool:
        """False where the request was over before step `at`."""
        prepared = await self.case.prepare(self.stage)
        await denylist.rebuild(self.stage.ctx)
        before = await states.look(self.database, self.stage.ctx)
        answer, run = await ask(self.app, prepared.call, at=at, how=how, headers=prepared.headers)
        if not run.was_hit:
            return False
        changed = states.change(before, await states.look(self.database, self.stage.ctx))
        where = f"{how.value} at {at}, {' > '.join(run.places[at - 1])}"
        self.hit.add(run.places[at - 1][:-1])
        self.done += bool(changed)
        self.nothing += not changed
        self.faults += [f"{where}: {fault}" for fault in self._faults(answer, changed)]
        if changed:
            self.faults += [f"{where}: {fault}" for fault in await self._accepted(prepared)]
        again, _ = await ask(self.app, prepared.call, headers=prepared.headers)
        if again.status != (self.case.again if changed else self.case.status):
            self.faults.append(f"{where}: asked again, it says {again.status} {again.body!r}")
        self.faults += [f"{where}: {leak}" for leak in await _leaks(self.stage.ctx)]
        return True

    def _faults(self, answer: Answer, changed: Change) -> Iterator[str]:
        if changed not in (Counter(), self.whole):
            yield f"half: {dict(changed)} of {dict(self.whole)}"
        told = answer.status if answer.is_whole and answer.status is not None else 500
        if told < 500 and (told, changed) != (self.case.status, self.whole):
            yield f"it said {told} {answer.body!r}, and changed {dict(changed)}"

    async def _accepted(self, prepared: Prepared) -> list[str]:
        """Access tokens that a worker, at the latest, should have brought to an end, where Redis is asked of them."""
        await errands.run(self.stage.ctx)
        await pulse.beat(self.stage.ctx)  # or Redis would not be believed
        asked = [await self.stage.api.get(ME, headers=bearer(token)) for token in prepared.ended]
        return [f"an access token of an ended session: {answer.status_code}" for answer in asked if answer.is_success]


async def _leaks(ctx: Context) -> list[str]:
    """What a request may not keep when it is over."""
    await until(lambda: ctx.hasher.waiting == 0)
    lent = {
        "connections": ctx.db.kw["bind"].pool.checkedout(),
        "connections of the driver": states.lent(ctx),
        "connections to Redis": len(ctx.redis.pool._in_use_connections),
    }
    return [f"{number} {what} were not given back" for what, number in lent.items() if number]


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    yield connection
    await connection.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_what_fails_while_a_request_waits_leaves_no_half_of_it(
    case: Case,
    start: Start,
    clock: MovedClock,
    database: "asyncpg.Connection[asyncpg.Record]",
    is_proof: bool,
    prove: Prove,
) -> None:
    ctx, api = await start(**case.settings)
    tries = Tries(case, Stage(ctx, api, clock), create_app(ctx), database)
    await tries.untouched()  # the first one opens connections
    places = await tries.untouched()
    for number, how in enumerate(How):
        at = 1 + (0 if is_proof else number * SHORT // len(How))
        while await tries.one(at, how):
            at += 1 if is_proof else SHORT
    for at in range(len(places), 0, -1):  # the few may all have been before the commit
        if tries.done:
            break
        await tries.one(at, How.AFTER)
    missed = {place[:-1] for place in places} - tries.hit if is_proof else set()
    assert not (await verification.verify(ctx, lambda _: None)).faults
    print(*tries.faults, *missed, sep="\n")
    assert tries.done
    assert tries.nothing
    prove(
        f"A-{case}",
        f"an exception or a cancellation, in four ways, at {len(tries.hit)} places where it waits",
        number=f"{len(tries.faults)} of {tries.done + tries.nothing}",
        bar="0 half done, 0 wrong answers, 0 connections kept",
        passed=not tries.faults and not missed,
    )
