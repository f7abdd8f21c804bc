"""The wall clock of one instance is wrong, from its start and by leaps: no decision about sessions changes (I17).

Sessions live by Postgres' time. So do access tokens: `iat` and `exp` are the time of the statement that allowed them,
and an instance judges them by Postgres' time as last heard, carried on by its monotonic clock.
"""

import asyncio
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.support.faults.load import Load
from tests.support.faults.parts import Instance, Parts, instance
from tests.support.people import PASSWORD, Person, sign_up
from tests.support.proof import Prove

pytestmark = pytest.mark.xdist_group("faults")

SEED = 20261121
MINUTE, DAY = 60, 86_400
STEPS = (10 * MINUTE, -10 * MINUTE, DAY, -DAY)
"""Seconds by which the clock is ahead."""

LIFETIME = 900
"""Of an access token, in seconds."""

NEAR = 30.0
"""Seconds between two readings that mean the same clock, on a machine that has much to do."""

LIBRARIES = tuple(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.fixture(params=["python", pytest.param("libfaketime", marks=pytest.mark.in_full)])
async def skewed(request: pytest.FixtureRequest, parts: Parts, tmp_path: Path) -> AsyncIterator[Instance]:
    """A further instance, whose clock is ahead by what the file `ahead` beside its log says."""
    ahead, environment, prefix = tmp_path / "ahead", dict(parts.instances[0].environment), ["-m", "authapi"]
    ahead.write_text(f"{STEPS[0]:+}\n")
    if request.param == "python":
        prefix = ["-m", "tests.support.faults.skewed", str(ahead)]
    elif not LIBRARIES:
        pytest.skip("libfaketime is not installed here (apt-get install faketime)")
    else:
        environment |= {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(ahead),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    made = instance(environment, tmp_path / "log", prefix)
    await asyncio.to_thread(made.start)
    yield made
    await asyncio.to_thread(made.end)


@pytest.mark.timeout(180)
async def test_a_wrong_clock_changes_nothing(
    skewed: Instance, parts: Parts, prove: Prove, is_proof: bool, request: pytest.FixtureRequest
) -> None:
    right = parts.instances[0]
    steps, users, seconds = (STEPS, 30, 5.0) if is_proof else (STEPS[-1:], 8, 1.0)
    load = Load([right.url, skewed.url], users=users, seed=SEED, pause=0.5)
    await load.begin()
    wrong = 0
    async with load.running():
        for step in steps:
            (skewed.log.parent / "ahead").write_text(f"{step:+}\n")
            await asyncio.sleep(seconds)
            wrong += await _misjudged(step, right, skewed)
    await load.settle(parts.rows)
    await load.close()
    assert load.violations == [], "\n".join(load.violations)
    prove(
        f"F-clock-{request.node.callspec.params['skewed']}",
        "the wall clock of one of two instances off by ±10 min and ±1 day, from its start and by leaps under load",
        number=f"{wrong} tokens misjudged, {len(load.violations)} violations in {load.network.seen.total()} requests",
        bar="0 and 0",
        passed=wrong == 0,
    )


async def _misjudged(step: int, right: Instance, skewed: Instance) -> int:
    """How many of two access tokens, one from either instance, either does not take or have the wrong time."""
    wrong = 0
    async with httpx.AsyncClient(base_url=right.url) as here, httpx.AsyncClient(base_url=skewed.url) as there:
        told = parsedate_to_datetime((await there.get("/health/live")).headers["date"])
        assert abs(told.timestamp() - time.time() - step) < NEAR, f"its clock is not ahead by {step} s"
        for number, api in enumerate((here, there)):
            ada = await sign_up(
                api, {"email": f"clock-{step}-{number}-{time.time()}@example.com", "password": PASSWORD}
            )
            statuses = {(await ada.session(at=each)).status_code for each in (here, there)}
            statuses |= {(await ada.get("/sessions")).status_code, (await ada.refresh(at=there)).status_code}
            wrong += statuses != {200} or not _is_timely(ada)
    return wrong


def _is_timely(ada: Person) -> bool:
    payload = ada.access_token.split(".")[1]
    claims: dict[str, int] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return abs(claims["iat"] - time.time()) < NEAR and claims["exp"] - claims["iat"] == LIFETIME
