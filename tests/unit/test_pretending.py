"""What takes as long as a hash, and is none."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from authapi.core.hashing import Busy, Hasher
from authapi.core.threads import TOGETHER
from tests.support.gates import Gate, until
from tests.unit.test_hashing import PHRASE, settings


@pytest.fixture
async def hasher() -> AsyncIterator[Hasher]:
    """One thread, and hashes that are taken to need a tenth of a second each."""
    hasher = Hasher(settings(threads=1))
    await hasher.hash(PHRASE)
    hasher._estimate = 0.1
    yield hasher
    hasher.close()


async def test_what_only_pretends_takes_as_long_as_a_hash_and_uses_no_thread(hasher: Hasher) -> None:
    gate, now = Gate(), asyncio.get_running_loop().time
    for jobs, hashes in ((0, 1), (2, 3)):
        working = [asyncio.create_task(hasher.run(gate.work)) for _ in range(jobs)]
        await until(lambda jobs=jobs: hasher.waiting == jobs)  # type: ignore[misc]
        began = now()
        await hasher.pretend()
        assert now() - began >= hashes * 0.1
        assert hasher.waiting == jobs
    gate.opened.set()
    await asyncio.gather(*working)


async def test_pretending_is_refused_as_a_hash_would_be(hasher: Hasher) -> None:
    hasher._estimate = 0.5
    gate = Gate()
    working = [asyncio.create_task(hasher.run(gate.work)) for _ in range(4)]
    await until(lambda: hasher.waiting == 4)
    with pytest.raises(Busy):
        await hasher.pretend()
    gate.opened.set()
    await asyncio.gather(*working)


async def test_pretending_takes_what_the_last_verifications_took_one_after_the_other(hasher: Hasher) -> None:
    hasher._lately.extend((0.05, 0.15))
    now = asyncio.get_running_loop().time
    took = []
    for _ in range(4):
        began = now()
        await hasher.pretend()
        took.append(now() - began)
    assert min(took) >= 0.05
    assert min(max(pair) for pair in pairwise(took)) >= 0.15


async def test_a_verification_that_had_to_queue_is_no_example(hasher: Hasher) -> None:
    gate = Gate()
    working = asyncio.create_task(hasher.run(gate.work))
    await until(lambda: hasher.waiting == 1)
    verifying = asyncio.create_task(hasher.verify(None, PHRASE))
    await until(lambda: hasher.waiting == 2)
    gate.opened.set()
    await asyncio.gather(working, verifying)
    assert not hasher._lately
    await hasher.verify(None, PHRASE)
    assert len(hasher._lately) == 1


async def test_a_verification_whose_answer_waited_for_others_is_no_example(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed, others, last = Gate(), Gate(), Gate()
    matches = hasher._matches
    monkeypatch.setattr(hasher, "_matches", lambda *args: bool(hashed.work()) and matches(*args))
    verifying = asyncio.create_task(hasher.verify(None, PHRASE))
    await until(lambda: hasher.waiting == 1)
    working = [asyncio.create_task(hasher.run(gate.work)) for gate in (*(others,) * TOGETHER, last)]
    await until(lambda: hasher.waiting == TOGETHER + 2)
    hashed.opened.set()
    others.opened.set()
    await verifying
    assert not hasher._lately
    last.opened.set()
    await asyncio.gather(*working)


async def test_what_only_pretends_is_answered_with_those_who_wait_for_one_another(hasher: Hasher) -> None:
    hasher._estimate = 0.01
    gate = Gate()
    working = [asyncio.create_task(hasher.run(gate.work)) for _ in range(TOGETHER + 1)]
    pretending = asyncio.create_task(hasher.pretend())
    await asyncio.sleep(0.2)
    assert not pretending.done()
    gate.opened.set()
    await asyncio.gather(pretending, *working)
