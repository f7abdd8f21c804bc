"""Mutated refresh tokens never reach the database: nothing is accepted, changed or ended (I9; ASVS 5.0 v7.2.2)."""

import asyncio
import json
from itertools import islice

import httpx
import pytest

from authapi.core.context import Context
from authapi.sessions import rotation
from authapi.sessions.service import PURPOSE
from tests.support.contract import leaks
from tests.support.hostile.refresh_tokens import mutated
from tests.support.outside import MovedClock
from tests.support.people import ADA, BOB, PREFIX, Person, log_in, sign_up
from tests.support.proof import Prove

SEED = 74
SOME, ALL = 1_000, 20_000
SAMPLED = 60
"""Of the short form, one in so many of those that the full form tries."""

AT_ONCE = 50
REFUSED = {(401, "invalid_token"), (400, "malformed_request"), (422, "invalid_request")}
"""The second where JSON cannot carry it, the third where it is too long."""


async def real_tokens(api: httpx.AsyncClient, clock: MovedClock) -> tuple[Person, list[str]]:
    """Ada's current one, its parent and an older one, Bob's, one of a session that was ended."""
    ada = await sign_up(api, ADA)
    tokens = [ada.refresh_token]
    for _ in range(2):
        clock.advance(seconds=20)
        assert (await ada.refresh()).status_code == 200
        tokens.append(ada.refresh_token)
    bob, gone = await sign_up(api, BOB), await log_in(api, ADA)
    await gone.log_out()
    return ada, [*tokens, bob.refresh_token, gone.refresh_token]


async def told(api: httpx.AsyncClient, token: str, *, by_logout: bool) -> tuple[int, str]:
    path, body = ("logout", {"scope": "all"}) if by_logout else ("refresh", {})
    content = json.dumps({"refresh_token": token, **body}).encode()
    reply = await api.post(f"{PREFIX}/{path}", content=content, headers={"Content-Type": "application/json"})
    return reply.status_code, reply.json().get("code", "accepted") if reply.content else "accepted"


@pytest.mark.timeout(300)
async def test_no_mutated_refresh_token_does_anything(
    api: httpx.AsyncClient, ctx: Context, clock: MovedClock, prove: Prove, is_proof: bool
) -> None:
    ada, real = await real_tokens(api, clock)
    tried = list(islice(mutated(real, SEED), ALL if is_proof else SOME * SAMPLED))[:: 1 if is_proof else SAMPLED]
    before = {**await leaks.tables(ctx), **await leaks.redis(ctx)}
    answers: dict[str, tuple[int, str]] = {}

    async def present(number: int, token: str) -> None:
        answers[token] = await told(api, token, by_logout=number % 8 == 7)

    numbered = list(enumerate(tried))
    for start in range(0, len(numbered), AT_ONCE):
        await asyncio.gather(*(present(number, token) for number, token in numbered[start : start + AT_ONCE]))
    accepted = {token: answer for token, answer in answers.items() if answer not in REFUSED}
    after = {**await leaks.tables(ctx), **await leaks.redis(ctx)}
    changed = [place for place in before | after if before.get(place) != after.get(place)]
    keys = ctx.vault.keys(PURPOSE)
    assert [token for token in tried if rotation.read(keys, token) is not None] == []
    assert [rotation.read(keys, token) is not None for token in real] == [True] * len(real)
    assert (await ada.refresh()).status_code == 200
    prove(
        "H-refresh",
        f"{len(answers)} refresh tokens made out of {len(real)} real ones: {SHOWN}",
        number=len(accepted) + len(changed),
        bar="0 of 20,000 accepted, 0 rows changed, 0 sessions ended",
        passed=accepted == {} and changed == [] and len(answers) >= (ALL if is_proof else SOME),
    )


SHOWN = "each bit, each length, other writings, other values, parts of two, chance"
