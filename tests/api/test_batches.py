"""Callers who want the same at the same time share a statement, and nothing else (`core/batches.py`)."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from authapi.core import db, sharing
from authapi.core.batches import Batched
from authapi.core.context import Context
from tests.conftest import Start
from tests.support.people import Person, log_in, sign_up

DIVIDED = Batched("by integer", "SELECT p.n, 10 / p.by AS it FROM {calls}")
COUNTED = Batched("nothing integer", "SELECT p.n, count(*) OVER () AS it FROM {calls}")
SLEPT = Batched("seconds float8", "SELECT p.n, pg_sleep(p.seconds) IS NULL AS it FROM {calls}")
APART = Batched(
    "who integer, name text",
    "SELECT p.n, string_agg(name, '') OVER (ORDER BY name DESC) AS it FROM {calls}",
    once="who",
)
PLACED = Batched("who integer", "SELECT p.n, p.n::integer AS it FROM {calls}", once="who")
NAMED = Batched(
    "id uuid, label text, seconds float8",
    """UPDATE sessions AS s SET label = p.label FROM {calls}, LATERAL pg_sleep(p.seconds)
        WHERE s.id = p.id RETURNING p.n""",
)

MANY = 24
FEW = 5
"""Transactions for MANY who come at once, at most."""


@pytest.fixture
async def everyone(ada: Person) -> list[Person]:
    return [ada, *[await log_in(ada.api) for _ in range(MANY - 1)]]


async def _commits(ctx: Context) -> int:
    """By how many transactions the sessions came to be what they are."""
    async with ctx.db() as tx:
        return len(set(await tx.scalars(text("SELECT xmin::text FROM sessions"))))


async def _refreshed(everyone: Sequence[Person]) -> None:
    before = [each.refresh_token for each in everyone]
    answers = await asyncio.gather(*(each.refresh() for each in everyone))
    assert [answer.json()["rotation"] for answer in answers] == ["rotated"] * MANY
    assert [answer.json()["session_id"] for answer in answers] == [each.session_id for each in everyone]
    assert len({*before, *(each.refresh_token for each in everyone)}) == 2 * MANY


async def test_many_refreshes_at_once_share_a_commit(everyone: list[Person], ctx: Context) -> None:
    assert await _commits(ctx) >= MANY
    for _ in range(3):  # what was given is what the row has
        await _refreshed(everyone)
        assert await _commits(ctx) <= FEW


async def test_each_gets_the_answer_to_what_they_asked(everyone: list[Person]) -> None:
    ended, *others = everyone
    assert (await ended.log_out()).status_code == 204
    answers = await asyncio.gather(*(each.session() for each in everyone))
    assert [answer.status_code for answer in answers] == [401] + [200] * len(others)
    assert [answer.json()["session"]["id"] for answer in answers[1:]] == [each.session_id for each in others]


async def test_nothing_is_shared_behind_pgbouncer(start: Start) -> None:
    ctx, api = await start(prepared_statements=False)
    await _refreshed([await sign_up(api), *[await log_in(api) for _ in range(MANY - 1)]])
    assert await _commits(ctx) == MANY


async def test_nobody_waits_for_the_row_of_somebody_else(everyone: list[Person], ctx: Context) -> None:
    async with ctx.db.begin() as tx:
        held = {"id": UUID(everyone[MANY // 2].session_id)}
        await tx.execute(text("SELECT FROM sessions WHERE id = :id FOR UPDATE"), held)
        refreshes = [asyncio.create_task(each.refresh()) for each in everyone]
        late = refreshes.pop(MANY // 2)
        answers = await asyncio.gather(*refreshes)
        assert not late.done()
    assert {answer.json()["rotation"] for answer in (*answers, await late)} == {"rotated"}


async def _outcomes(*calls: Awaitable[Any]) -> list[Any]:
    return [getattr(each, "it", each) for each in await asyncio.gather(*calls, return_exceptions=True)]


async def test_what_one_asks_wrongly_is_no_fault_of_the_others(ctx: Context) -> None:
    outcomes = await _outcomes(*(ctx.batcher.row(DIVIDED, by) for by in (1, 2, 0, 5)))
    assert isinstance(outcomes.pop(2), asyncpg.DivisionByZeroError)
    assert outcomes == [10, 5, 2]
    outcomes = await _outcomes(*(ctx.batcher.row(DIVIDED, by) for by in (1, 2, "five", 5)))
    assert isinstance(outcomes.pop(2), asyncpg.DataError)
    assert outcomes == [10, 5, 2]


async def test_more_than_a_statement_takes_go_with_the_next(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MOST", 4)
    assert await _outcomes(*(ctx.batcher.row(COUNTED, 0) for _ in range(11))) == [*[4] * 8, *[3] * 3]


async def test_who_is_ready_in_the_same_turn_goes_along_and_who_comes_later_goes_next(ctx: Context) -> None:
    slow = asyncio.create_task(ctx.batcher.row(SLEPT, 0.3))
    await asyncio.sleep(0.05)
    later = [asyncio.create_task(ctx.batcher.row(SLEPT, 0.0)) for _ in range(3)]
    assert await _outcomes(*(ctx.batcher.row(COUNTED, 0) for _ in range(3))) == [3, 3, 3]
    assert not any(call.done() for call in (slow, *later))
    assert await _outcomes(slow, *later) == [False] * 4


async def test_what_may_be_only_once_in_a_statement_goes_with_the_next_and_in_order(ctx: Context) -> None:
    outcomes = await _outcomes(*(ctx.batcher.row(APART, *call) for call in ((1, "a"), (1, "b"), (2, "c"), (1, "d"))))
    assert outcomes == ["ca", "b", "c", "d"]
    outcomes = await _outcomes(*(ctx.batcher.row(PLACED, who) for who in (3, 1, 2)))
    assert outcomes == [3, 1, 2]


async def test_who_leaves_before_a_statement_goes_takes_nobody_along(ctx: Context) -> None:
    first, *others = [asyncio.create_task(ctx.batcher.row(COUNTED, 0)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    assert await _outcomes(*others) == [2, 2]
    assert first.cancelled()


async def test_who_shares_a_statement_that_is_cut_off_is_told_to_come_back(ctx: Context) -> None:
    asked = asyncio.gather(_outcomes(*(ctx.batcher.row(SLEPT, 0.4) for _ in range(2))))
    await asyncio.sleep(0.2)
    async with ctx.db() as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE '%pg_sleep(p.%' AND pid <> :me"
            ),
            {"me": await tx.scalar(text("SELECT pg_backend_pid()"))},
        )
    (told,) = await asked
    assert [db.is_unavailable(error) for error in told] == [True, True]
    assert await _outcomes(ctx.batcher.row(DIVIDED, 1), ctx.batcher.row(SLEPT, 0)) == [10, False]


async def test_who_has_gone_before_their_turn_changes_nothing(ada: Person, ctx: Context) -> None:
    async def name(label: str) -> None:
        await ctx.batcher.row(NAMED, UUID(ada.session_id), label, 0.0)

    first, gone = asyncio.create_task(name("first")), asyncio.create_task(name("gone"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(first, gone, return_exceptions=True)
    await ctx.batcher.row(NAMED, UUID(int=0), "", 0.0)  # after whatever is still under way
    assert (await ada.session()).json()["session"]["label"] == "first"


async def test_who_goes_while_their_statement_is_under_way_takes_nobody_along(ctx: Context) -> None:
    gone, there = [asyncio.create_task(ctx.batcher.row(SLEPT, 0.3)) for _ in range(2)]
    await asyncio.sleep(0.1)
    gone.cancel()
    assert (await there).it is False
    assert gone.cancelled()


async def test_many_who_have_gone_keep_nobody_waiting(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MOST", 2)
    _, *gone, there = calls = [asyncio.create_task(ctx.batcher.row(SLEPT, 0.1)) for _ in range(4)]
    await asyncio.sleep(0)
    for each in gone:
        each.cancel()
    assert (await asyncio.wait_for(there, 2)).it is False
    assert [call.cancelled() for call in calls] == [False, True, True, False]


async def test_who_has_waited_too_long_is_told_so_and_changes_nothing(
    ada: Person, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "POOL_TIMEOUT", 0.1)
    slow = asyncio.create_task(ctx.batcher.row(NAMED, UUID(ada.session_id), "slow", 0.3))
    await asyncio.sleep(0)
    late = asyncio.create_task(ctx.batcher.row(NAMED, UUID(ada.session_id), "late", 0.0))
    await asyncio.sleep(0.25)
    soon = asyncio.create_task(ctx.batcher.row(NAMED, UUID(ada.session_id), "soon", 0.0))
    with pytest.raises(TimeoutError):
        await late
    await asyncio.gather(slow, soon)
    assert (await ada.session()).json()["session"]["label"] == "soon"


async def test_what_is_under_way_ends_before_its_connection_is_closed(ctx: Context, start: Start) -> None:
    ending, _ = await start()
    calls = [asyncio.create_task(ending.batcher.row(SLEPT, 0.3)) for _ in range(2)]
    await asyncio.sleep(0.1)
    for call in calls:
        call.cancel()
    await ending.batcher.close()
    async with ctx.db() as tx:
        assert not await tx.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE '%pg_sleep(p.seconds) IS%'"
                " AND pid <> pg_backend_pid()"
            )
        )
