"""The connection to Postgres is cut exactly after a commit, so that the service does not know what became of it.

Its client is told to come back, and does, with the same token: it gets one that works (I5), and what the row has is
what the client has (I1, I14).
"""

import asyncio
import base64
import hashlib
from collections import Counter

import pytest

from tests.support.faults.load import Load
from tests.support.faults.parts import Parts
from tests.support.faults.persons import Person
from tests.support.proof import Prove

pytestmark = pytest.mark.xdist_group("faults")

SEED = 20261121
REFRESHES = b"UPDATE sessions AS s"
COMMIT = b"COMMIT"
PEOPLE = 10
AWAITED = 20.0
"""Seconds in which a retry must succeed."""


@pytest.mark.timeout(300)
async def test_the_answer_to_a_refresh_is_lost_after_its_commit(proxied: Parts, prove: Prove, is_proof: bool) -> None:
    times, told = 1000 if is_proof else 50, Counter[str]()
    load = Load(proxied.urls, users=PEOPLE, seed=SEED, timeout=10)
    await load.begin()
    proxied.to_postgres.lose_answers(REFRESHES, times)
    begun = proxied.to_postgres.lost
    await asyncio.gather(*(_refresh_on(load, person, proxied, told, until=begun + times) for person in load.people))
    wrong = sum([not await _is_as_stored(proxied, person) for person in load.people])
    await load.settle(proxied.rows)
    await load.close()
    assert load.violations == []
    lost = proxied.to_postgres.lost - begun
    assert told["503"] >= lost, f"the answers were not lost: {told}"
    prove(
        "F-lost-commit",
        f"the connection to Postgres cut after the commit of a refresh, {lost} times",
        number=f"{wrong} sessions lost; the retries were {dict(told)}",
        bar="0 sessions lost, every retry answered with a token",
        passed=wrong == 0 and lost == times,
    )


async def _refresh_on(load: Load, person: Person, parts: Parts, told: Counter[str], *, until: int) -> None:
    """Every refresh until it is answered, by whichever instance."""
    assert person.device is not None
    while parts.to_postgres.lost < until:
        async with asyncio.timeout(AWAITED):
            while (reply := await person.device.refresh()) is None or not reply.is_success:
                told[str(reply.status if reply else None)] += 1
        told[reply.body["rotation"]] += 1


async def _is_as_stored(parts: Parts, person: Person) -> bool:
    """One live session, and its current token is the one that the client has."""
    rows = await parts.rows(
        f"""SELECT s.id::text, s.token_hash, s.generation FROM sessions AS s JOIN users AS u ON u.id = s.user_id
             WHERE u.email = '{person.email}' AND s.ended_at IS NULL"""
    )
    device = person.device
    assert device is not None
    text = (device.refresh_token or str(device.cookie).partition("=")[2]).removesuffix(".remembered")
    raw = base64.urlsafe_b64decode(text.removeprefix("rt_") + "=" * (-(len(text) - 3) % 4))
    return [(row["id"], row["token_hash"]) for row in rows] == [(device.id, hashlib.sha256(raw).digest())]
