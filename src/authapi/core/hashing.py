"""Argon2id in a few threads beside the event loop, with a queue that refuses what it cannot serve soon."""

import logging
import os
import sys
import threading
import time
import unicodedata
from asyncio import sleep
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, VerificationError, VerifyMismatchError
from argon2.low_level import error_to_str

from authapi.core import metrics
from authapi.core.problems import Problem, Unavailable
from authapi.core.secrets import SystemRandom
from authapi.core.settings import Settings
from authapi.core.threads import Threads

T = TypeVar("T")

LONGEST_WAIT = 2.0
"""Seconds somebody may wait for a hash, their own included; who would wait longer is told so at once."""

FIRST_GUESS = 0.05
"""Seconds one hash is taken to need until the first has been measured."""

SMOOTHING = 0.1
"""The weight of one measurement in the moving estimate."""

NICENESS = 5
"""Of the hashing threads: they get a third of what the event loop gets, and all of it while the loop waits."""

OUTLIER = 2.0
"""A measurement counts for at most so many times the estimate: one of them raises it by a tenth, whatever it was."""

REMEMBERED = 64
"""Verifications whose times are repeated by those that only pretend."""

COARSE = 0.0015
"""Seconds by which a timer of the loop may be late: it counts in milliseconds. Others are served meanwhile."""

LONGEST_NORMALISED = 4096
"""Characters. To normalise a run of combining marks is quadratic and holds the GIL: 17 ms for these, 4 s for 64 Ki."""

OUT_OF_MEMORY = error_to_str(-22)

log = logging.getLogger(__name__)


class Busy(Problem):
    code = "busy"
    status = 503
    title = "Too many sign-ins at once. Try again in a moment."
    action = "retry"

    def __init__(self, detail: str | None = None, *, retry_after: float = LONGEST_WAIT, **extra: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **extra)


def normalised(password: str) -> str:
    """NFC, and nothing else is ever changed (OWASP ASVS 6.2.8, NIST SP 800-63B §3.1.1.2).

    What is far longer than any password may be comes back as it is: it matches nothing that was ever set.
    """
    return password if len(password) > LONGEST_NORMALISED else unicodedata.normalize("NFC", password)


def size(password: str) -> int:
    """Bytes of UTF-8, the unit of every limit on passwords."""
    return len(_encoded(password))


class Hasher:
    """As many hashes at once as there are threads. More threads than cores make every hash slower."""

    def __init__(self, settings: Settings) -> None:
        self._argon2 = PasswordHasher(
            time_cost=settings.argon2_time, memory_cost=settings.argon2_memory, parallelism=settings.argon2_lanes
        )
        self._most = settings.hash_threads or _cores()
        self._threads = Threads("hash", self._most, prepare=_step_back, gauge=metrics.HASH_QUEUE.inc)
        self._shape: tuple[str, int, int] | None = None
        """Parameters and lengths of a hash that was found to be as it should be: all others of today are like it."""
        self._lock = threading.Lock()
        self._estimate: float | None = None
        self._lately: deque[float] = deque(maxlen=REMEMBERED)
        self._dummy = Future[str]()
        self._threads.begin(self._make_dummy)

    @property
    def waiting(self) -> int:
        """Work that is queued or being done. Ends with its answer, not with the caller who no longer wants it."""
        return self._threads.pending

    @property
    def estimate(self) -> float:
        """Seconds that one hash takes, lately."""
        return FIRST_GUESS if self._estimate is None else self._estimate

    def admit(self) -> None:
        """Raises Busy if a hash asked for now would take too long; so a use case may ask before it does anything.

        Whoever finds a free thread is let in, whatever the estimate says, or a wrong one could never be put right.
        """
        wait = (self.waiting + 1) * self.estimate / self._most
        if self.waiting >= self._most and wait > LONGEST_WAIT:
            raise Busy(retry_after=wait)

    async def hash(self, password: str, *, check: Callable[[str], None] | None = None) -> str:
        """An encoded hash (PHC string) of the normalised password. Raises Busy, before any work; Unavailable.

        `check` is called first, in one of the threads and ahead of what waits there; what it raises is raised.
        """
        judge = None if check is None else partial(check, password)
        return await self.run(partial(self._hash, password), check=judge)

    async def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password. None, for a person who is not known, costs the same and is False.

        Raises Busy, before any work; Unavailable. A stored hash that cannot be read is logged and is False.
        """
        queued, began = self.waiting >= self._most, time.perf_counter()
        matches = await self.run(partial(self._verify, hashed, password))
        if not queued and self.waiting < self._most:
            self._lately.append(time.perf_counter() - began)
        return matches

    async def pretend(self) -> None:
        """Takes as long as a verification asked for now would, without one. Raises Busy as that would.

        It repeats what one of the last took, with its way to the thread and back: the estimate is of the hash alone,
        and a mean, so that many answers would tell which of them were hashed.
        """
        self.admit()
        began = time.perf_counter()
        lately = self._lately[0] if self._lately else self.estimate
        self._lately.rotate()
        seconds = max(0, self.waiting - self._most + 1) / self._most * self.estimate + lately
        await sleep(max(0.0, seconds - COARSE))
        while time.perf_counter() - began < seconds:  # noqa: ASYNC110 - finer than the loop's timers
            await sleep(0)
        await self._threads.handed_over()

    def needs_rehash(self, hashed: str) -> bool:
        """Whether it was made with other parameters than today's (OWASP ASVS 11.2.2)."""
        try:
            parameters, salt, digest = hashed.rsplit("$", 2)
            shape = parameters, len(salt), len(digest)
            if shape == self._shape:
                return False
            if self._argon2.check_needs_rehash(hashed):
                return True
        except ValueError:
            return True
        self._shape = shape
        return False

    async def run(self, func: Callable[[], T], *, check: Callable[[], object] | None = None) -> T:
        """Some other heavy work, in the same threads and the same queue. Raises Busy, before any work.

        Keeps the loop free only as far as `func` releases the GIL. `check` comes before it, and before what is queued.
        """
        self.admit()
        return await self._threads.run(func, check=check)

    def close(self) -> None:
        """Drops what is queued. Hashes under way finish, but nothing waits for them here."""
        self._threads.close()

    def _hash(self, password: str) -> str:
        secret = _encoded(normalised(password))
        start = time.perf_counter()
        try:
            hashed = self._argon2.hash(secret)
        except HashingError as error:
            raise _unavailable(error) from None
        self._measured(time.perf_counter() - start)
        return hashed

    def _verify(self, hashed: str | None, password: str) -> bool:
        secret = _encoded(normalised(password))
        if hashed is not None:
            try:
                return self._matches(hashed, secret)
            except (VerificationError, ValueError) as error:
                if str(error) == OUT_OF_MEMORY:
                    raise _unavailable(error) from None
                log.error("a stored password hash cannot be read", extra={"error": type(error).__name__})
        self._matches(self._nobodys(), secret)
        return False

    def _make_dummy(self) -> None:
        try:
            self._dummy.set_result(self._hash(SystemRandom().token()))
        except Unavailable as error:
            self._dummy.set_exception(error)

    def _nobodys(self) -> str:
        """It was queued before anything else, so it never waits for the thread that waits for it. Where it could not
        be made then, it is now: else only who is not known would be told that the service is unavailable."""
        try:
            return self._dummy.result()
        except Unavailable:
            self._dummy = Future[str]()
            self._make_dummy()
            return self._dummy.result()

    def _matches(self, hashed: str, secret: bytes) -> bool:
        start = time.perf_counter()
        try:
            matches: bool = self._argon2.verify(hashed, secret)
        except VerifyMismatchError:
            matches = False
        self._measured(time.perf_counter() - start)
        return matches

    def _measured(self, seconds: float) -> None:
        with self._lock:
            if self._estimate is None:
                self._estimate = seconds
            else:
                self._estimate += SMOOTHING * (min(seconds, OUTLIER * self._estimate) - self._estimate)


def _encoded(password: str) -> bytes:
    """A lone surrogate, which UTF-8 refuses, is a fault of the request and none of ours: it must not raise here."""
    return password.encode("utf-8", "surrogatepass")


def _unavailable(error: Exception) -> Unavailable:
    log.error("a password cannot be hashed", extra={"error": str(error)})
    return Unavailable()


def _step_back() -> None:
    """Where a hash and the event loop share a core, the loop goes first: it needs little and everybody waits for it."""
    if sys.platform == "linux":  # where a thread has a niceness of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def _cores() -> int:
    """The cores this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
