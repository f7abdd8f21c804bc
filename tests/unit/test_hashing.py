"""The threads that hash passwords: what they promise to those who wait, and to the event loop."""

import asyncio
import logging
import time
import unicodedata
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import HashingError, VerificationError

from authapi.core import hashing
from authapi.core.hashing import Busy, Hasher
from authapi.core.problems import Unavailable
from authapi.core.settings import Settings
from tests.support.gates import Gate, until

PHRASE = "correct horse battery staple"
HASHED = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PHRASE)


def settings(*, threads: int = 2, memory: int = 8192, passes: int = 1) -> Settings:
    hashing = {"argon2_memory": memory, "argon2_time": passes, "argon2_lanes": 1, "hash_threads": threads}
    needed = {"database_url": "postgresql://127.0.0.1/none", "redis_url": "redis://127.0.0.1", "secret": "s" * 32}
    return Settings.model_validate({"env": "development"} | needed | hashing)


@pytest.fixture
async def hasher() -> AsyncIterator[Hasher]:
    hasher = Hasher(settings())
    yield hasher
    hasher.close()


@pytest.fixture
async def narrow() -> AsyncIterator[Hasher]:
    """One thread, and hashes that are known to take half a second each: four may wait."""
    hasher = Hasher(settings(threads=1))
    await hasher.hash(PHRASE)
    hasher._estimate = 0.5
    yield hasher
    hasher.close()


async def test_the_right_password_passes_and_another_does_not(hasher: Hasher) -> None:
    hashed = await hasher.hash(PHRASE)
    assert await hasher.verify(hashed, PHRASE)
    assert not await hasher.verify(hashed, PHRASE + "!")
    assert await hasher.hash(PHRASE) != hashed


@pytest.mark.parametrize(
    "password", ["\u00e9t\u00e9 \u00e0 la mer", "\uac00\ub098\ub2e4\ub77c", "A\u030angstr\u00f6m \u1e69"]
)
async def test_composed_and_decomposed_are_one_password(hasher: Hasher, password: str) -> None:
    composed, decomposed = unicodedata.normalize("NFC", password), unicodedata.normalize("NFD", password)
    assert composed != decomposed
    assert await hasher.verify(await hasher.hash(composed), decomposed)
    assert await hasher.verify(await hasher.hash(decomposed), composed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("staple ", "staple"), (" staple", "staple"), ("Staple", "staple"),
        ("x" * 72 + "a", "x" * 72 + "b"), ("x" * 1023 + "a", "x" * 1023 + "b"),
        ("staple\x00one", "staple\x00two"), ("staple\x00", "staple"),
        ("\ufb01sh and chips", "fish and chips"), ("\uff41\uff42\uff43", "abc"),
    ],
)  # fmt: skip
async def test_every_character_counts(hasher: Hasher, one: str, other: str) -> None:
    hashed = await hasher.hash(one)
    assert await hasher.verify(hashed, one)
    assert not await hasher.verify(hashed, other)


async def test_a_lone_surrogate_and_a_huge_password_are_wrong_passwords_and_no_errors(hasher: Hasher) -> None:
    assert not await hasher.verify(HASHED, "\ud800")
    huge = "a\u0301\u0327" * 20_000
    assert not await hasher.verify(HASHED, huge)
    assert hashing.normalised(huge) is huge, "it would hold the GIL for a second"


async def test_an_unknown_person_costs_a_hash_with_todays_parameters(hasher: Hasher) -> None:
    dummy, real = hasher._dummy.result(), await hasher.hash(PHRASE)
    assert extract_parameters(dummy) == extract_parameters(real)


async def test_an_unknown_person_costs_one_verification_as_a_known_one_does(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, hash: str, password: bytes) -> bool:
        verified.append(hash)
        return verify(self, hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    assert not await hasher.verify(None, PHRASE)
    assert await hasher.verify(HASHED, PHRASE)
    assert verified == [hasher._dummy.result(), HASHED]


@pytest.mark.parametrize(
    "hashed",
    [
        "", "\u00e9", "$argon2id$", "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$",
        "$argon2id$v=19$m=8192,t=1,p=1$!!$!!",
        "$argon2id$v=19$m=8192,t=0,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng",
        "$2b$12$" + "a" * 53,
    ],
)  # fmt: skip
async def test_a_stored_hash_that_cannot_be_read_is_a_wrong_password(
    hasher: Hasher, hashed: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert not await hasher.verify(hashed, PHRASE)
    assert [record.levelname for record in caplog.records if record.name == hashing.__name__] == ["ERROR"]
    assert "$" not in caplog.text + str(vars(caplog.records[0]))
    assert hasher.waiting == 0


async def test_a_lack_of_memory_is_never_a_wrong_password(hasher: Hasher, monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(self: PasswordHasher, hash: str, password: bytes) -> bool:
        raise VerificationError("Memory allocation error")

    def hash(self: PasswordHasher, password: bytes) -> str:
        raise HashingError("Memory allocation error")

    await hasher.hash(PHRASE)
    monkeypatch.setattr(PasswordHasher, "verify", verify)
    monkeypatch.setattr(PasswordHasher, "hash", hash)
    with pytest.raises(Unavailable):
        await hasher.verify(HASHED, PHRASE)
    with pytest.raises(Unavailable):
        await hasher.hash(PHRASE)
    assert hasher.waiting == 0


async def test_a_hash_with_other_parameters_is_made_anew(hasher: Hasher) -> None:
    stronger = Hasher(settings(memory=9216, passes=2))
    assert not hasher.needs_rehash(HASHED)
    assert stronger.needs_rehash(HASHED)
    assert await stronger.verify(HASHED, PHRASE), "raised parameters lock nobody out"
    stronger.close()


async def test_only_a_hash_of_todays_shape_is_not_made_anew(hasher: Hasher) -> None:
    todays = {"time_cost": 1, "memory_cost": 8192, "parallelism": 1}
    others = [{"time_cost": 2}, {"memory_cost": 9216}, {"parallelism": 2}, {"hash_len": 16}, {"salt_len": 8}]
    stale = [PasswordHasher(**todays | other).hash(PHRASE) for other in others]  # type: ignore[arg-type]
    stale += [HASHED.replace("argon2id", "argon2i"), HASHED.replace("v=19", "v=16"), "no hash", "$a$b", ""]
    for _ in range(2):
        assert not hasher.needs_rehash(HASHED)
        assert not hasher.needs_rehash(await hasher.hash("another one"))
        assert all(hasher.needs_rehash(each) for each in stale)


async def test_the_excess_is_refused_before_it_costs_anything(narrow: Hasher) -> None:
    gate = Gate()
    callers = [asyncio.create_task(narrow.run(gate.work)) for _ in range(50)]
    await until(lambda: sum(caller.done() for caller in callers) == 46)
    assert narrow.waiting == 4
    with pytest.raises(Busy):
        narrow.admit()
    gate.opened.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert sorted(answer for answer in answers if isinstance(answer, int)) == [1, 2, 3, 4]
    assert sum(isinstance(answer, Busy) for answer in answers) == 46
    assert (gate.done, narrow.waiting) == (4, 0)
    narrow.admit()


async def test_the_refusal_says_when_to_come_again(narrow: Hasher) -> None:
    gate = Gate()
    callers = [asyncio.create_task(narrow.run(gate.work)) for _ in range(4)]
    await until(lambda: narrow.waiting == 4)
    with pytest.raises(Busy) as refusal:
        await narrow.verify(HASHED, PHRASE)
    body = refusal.value.body("id")
    assert (body["code"], body["status"], body["action"], body["retry_after"]) == ("busy", 503, "retry", 3)
    assert refusal.value.headers["Retry-After"] == "3"
    gate.opened.set()
    await asyncio.gather(*callers)


async def test_more_threads_let_more_wait() -> None:
    hasher, gate = Hasher(settings(threads=3)), Gate()
    await until(lambda: hasher._dummy.done())
    hasher._estimate = 0.5
    callers = [asyncio.create_task(hasher.run(gate.work)) for _ in range(20)]
    await until(lambda: sum(caller.done() for caller in callers) == 8 and hasher.waiting == 12)
    gate.opened.set()
    await asyncio.gather(*callers, return_exceptions=True)
    hasher.close()


async def test_a_free_thread_takes_work_however_slow_hashes_are(narrow: Hasher) -> None:
    narrow._estimate = 60.0
    assert await narrow.verify(HASHED, PHRASE)
    assert narrow.estimate < 60.0


async def test_who_leaves_the_queue_makes_room_and_costs_nothing(narrow: Hasher) -> None:
    gate, unwanted = Gate(), Gate()
    unwanted.opened.set()
    first = asyncio.create_task(narrow.run(gate.work))
    queued = [asyncio.create_task(narrow.run(unwanted.work)) for _ in range(3)]
    await until(lambda: narrow.waiting == 4)
    for caller in queued:
        caller.cancel()
    await until(lambda: narrow.waiting == 1)
    narrow.admit()
    gate.opened.set()
    assert await first == 1
    assert await narrow.run(lambda: "next") == "next"
    assert all(caller.cancelled() for caller in queued)
    assert (unwanted.done, narrow.waiting) == (0, 0)


async def test_who_leaves_while_being_served_still_counts_until_the_thread_is_free(narrow: Hasher) -> None:
    gate = Gate()
    caller = asyncio.create_task(narrow.run(gate.work))
    await until(lambda: narrow.waiting == 1 and not narrow._threads._queued)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert narrow.waiting == 1
    gate.opened.set()
    await until(lambda: narrow.waiting == 0)


async def test_work_that_fails_raises_and_is_no_longer_counted(hasher: Hasher) -> None:
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await hasher.run(fail)
    assert hasher.waiting == 0
    assert await hasher.verify(HASHED, PHRASE)


async def test_a_closed_hasher_drops_its_queue() -> None:
    hasher, gate = Hasher(settings(threads=1)), Gate()
    callers = [asyncio.create_task(hasher.run(gate.work)) for _ in range(3)]
    await until(lambda: hasher.waiting == 3)
    hasher.close()
    gate.opened.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert sum(isinstance(answer, asyncio.CancelledError) for answer in answers) >= 2
    with pytest.raises(RuntimeError):
        await hasher.hash(PHRASE)
    await until(lambda: hasher.waiting == 0)


async def test_one_outlier_hardly_moves_the_estimate_but_a_lasting_change_does(narrow: Hasher) -> None:
    narrow._estimate = 0.03
    narrow._measured(100.0)
    assert narrow.estimate == pytest.approx(0.033)
    for _ in range(60):
        narrow._measured(0.3)
    assert narrow.estimate == pytest.approx(0.3, rel=0.1)


async def test_the_loop_turns_while_passwords_are_hashed() -> None:
    hasher, ticks = Hasher(settings(threads=1, memory=65536, passes=3)), 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticker, start = asyncio.create_task(tick()), time.perf_counter()
    await asyncio.gather(*(hasher.verify(None, PHRASE) for _ in range(3)))
    seconds = time.perf_counter() - start
    ticker.cancel()
    assert ticks > seconds * 20, f"{ticks} ticks in {seconds:.2f} s"
    hasher.close()


async def test_to_make_a_hasher_does_not_wait_for_its_first_hash() -> None:
    hasher = Hasher(settings(memory=131072, passes=4))
    assert not hasher._dummy.done()
    await until(lambda: hasher._dummy.done())
    assert hasher.estimate != hashing.FIRST_GUESS, "the first hash is measured"
    hasher.close()


async def test_who_is_not_known_is_answered_also_where_the_first_hash_could_not_be_made() -> None:
    hasher = Hasher(settings(threads=1, memory=2**31))  # KiB: more than any machine has
    with pytest.raises(Unavailable):
        await hasher.verify(None, PHRASE)
    hasher._argon2 = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    assert not await hasher.verify(None, PHRASE)
    assert not await hasher.verify(None, PHRASE)
    hasher.close()
