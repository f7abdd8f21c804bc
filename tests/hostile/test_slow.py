"""Connections that say nothing, or say it slowly, or read nothing, are closed in time and cost others nothing.

ASVS 5.0 v15.2.2.
"""

import asyncio
import resource
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import suppress
from statistics import median
from typing import TypeVar

import httpx
import pytest

from authapi.core.protocol import GuardedProtocol
from tests.support.hostile.wires import Service
from tests.support.people import PREFIX, Person, bearer, sign_up
from tests.support.proof import Prove

T = TypeVar("T")

SOME, MANY = 100, 500
DRIP = 1.0
"""Seconds from byte to byte."""

LATE = 30.0
"""Seconds beyond the time that the protocol allows which a busy machine may take to notice."""

FILES = 8192
HEAD = b"GET " + PREFIX.encode() + b"/config HTTP/1.1\r\nHost: x\r\nX-Slow: "
BODY = (
    b"POST " + PREFIX.encode() + b"/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)
KINDS: dict[str, tuple[bytes, bytes, float]] = {
    "idle": (b"", b"", GuardedProtocol.IDLE),
    "slow headers": (HEAD, b"x", GuardedProtocol.HEAD + GuardedProtocol.LINGER),
    "slow bodies": (BODY, b" ", GuardedProtocol.BODY + GuardedProtocol.LINGER),
}
"""What is sent at once, what then byte by byte, and in how many seconds that must be over."""

LARGE = b"GET /docs/swagger.js HTTP/1.1\r\nHost: x\r\n\r\n"
"""1.5 MB come back."""

FEW, MORE = 10, 30
"""Of those: a burst of such answers keeps the loop busy by itself, and the kernel keeps some megabytes of each."""

WINDOW = 4096
UNREAD: dict[str, bytes] = {
    "whose next answer waits": LARGE * GuardedProtocol.PIPELINED,
    "whose last answer was given": LARGE + LARGE[:-2] + b"Connection: close\r\n\r\n",
    "that ask too much": LARGE * 4 * GuardedProtocol.PIPELINED,
}
"""What is sent by somebody who then reads nothing."""


@pytest.fixture(scope="module", autouse=True)
def many_files() -> Iterator[None]:
    """Before the service starts, which inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if most < 4 * MANY:
        pytest.skip(f"only {most} files may be open here, and {4 * MANY} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most) if soft != resource.RLIM_INFINITY else soft, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def hold(service: Service, kind: str) -> tuple[float, int]:
    """Seconds until the service closed it, and the status that it said before, or 0."""
    first, byte, _ = KINDS[kind]
    reader, writer = await asyncio.open_connection(*service.address)
    begun, said = time.monotonic(), b""
    writer.write(first)
    with suppress(ConnectionError):
        while not reader.at_eof():
            with suppress(TimeoutError):
                async with asyncio.timeout(DRIP):
                    said += await reader.read(65_536)
                    continue
            writer.write(byte)
    seconds = time.monotonic() - begun
    writer.close()
    return seconds, int(said.split(b" ", 2)[1]) if said else 0


async def stare(service: Service, data: bytes) -> float:
    """Seconds until the service was gone for somebody who reads nothing: what is sent then is refused."""
    loop, begun = asyncio.get_running_loop(), time.monotonic()
    with socket.socket() as peer, suppress(ConnectionError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        peer.setblocking(False)
        await loop.sock_connect(peer, service.address)
        await loop.sock_sendall(peer, data)
        while True:
            await asyncio.sleep(DRIP)
            await loop.sock_sendall(peer, b"\r\n")
    return time.monotonic() - begun


async def live(person: Person, until: asyncio.Event) -> Counter[str]:
    """Somebody honest, who asks and refreshes all the time."""
    told: Counter[str] = Counter()
    while not until.is_set():
        reply = await person.api.get(f"{PREFIX}/session", headers=bearer(person.access_token))
        told[f"session {reply.status_code}"] += 1
        told[f"refresh {(await person.refresh()).status_code}"] += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), 0.1)
    return told


async def beside(service: Service, name: str, deeds: Iterable[Awaitable[T]]) -> tuple[list[T], Counter[str]]:
    """What came of the deeds, and what honest people were told meanwhile."""
    over = asyncio.Event()
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as api:
        people = [
            await sign_up(api, {"email": f"{name}{n}@example.com", "password": f"honest {n} staple"}) for n in range(4)
        ]
        honest = asyncio.gather(*(live(person, over) for person in people))
        done = await asyncio.gather(*deeds)
        over.set()
        return done, sum(await honest, Counter[str]())


def refused(told: Counter[str]) -> int:
    return told.total() - told["session 200"] - told["refresh 200"]


@pytest.mark.timeout(300)
async def test_slow_connections_are_closed_in_time_while_others_are_served(
    service: Service, prove: Prove, is_proof: bool
) -> None:
    count = MANY if is_proof else SOME
    kinds = [kind for kind in KINDS for _ in range(count)]
    held, told = await beside(service, "slow", [hold(service, kind) for kind in kinds])
    seconds = {kind: [took for name, (took, _) in zip(kinds, held, strict=True) if name == kind] for kind in KINDS}
    statuses = {kind: {status for name, (_, status) in zip(kinds, held, strict=True) if name == kind} for kind in KINDS}
    late = [kind for kind, (_, _, due) in KINDS.items() if max(seconds[kind]) > due + GuardedProtocol.TICK + LATE]
    assert statuses == {"idle": {0}, "slow headers": {408}, "slow bodies": {408}}
    assert late == []
    shown = ", ".join(f"{kind} after {median(took):.1f} s (at most {max(took):.1f})" for kind, took in seconds.items())
    prove(
        "H-slow-loris",
        f"{count} idle, {count} slow-header and {count} slow-body connections at once",
        number=f"{shown}; {told.total()} honest requests, {refused(told)} refused",
        bar=f"all closed: after {', '.join(f'{due:.0f}' for _, _, due in KINDS.values())} s; 0 honest requests refused",
        passed=refused(told) == 0 and told.total() > 0 and service.faults() == [],
    )


@pytest.mark.timeout(300)
async def test_who_reads_nothing_is_cut_in_time_while_others_are_served(
    service: Service, prove: Prove, is_proof: bool
) -> None:
    count = MORE if is_proof else FEW
    kinds = [kind for kind in UNREAD for _ in range(count)]
    took, told = await beside(service, "deaf", [stare(service, UNREAD[kind]) for kind in kinds])
    due = GuardedProtocol.UNREAD
    prove(
        "H-unread",
        f"{count} connections each {', '.join(UNREAD)}, and that read nothing, with a window of {WINDOW} bytes",
        number=f"cut after {median(took):.1f} s (at most {max(took):.1f}); {told.total()} honest requests, "
        f"{refused(told)} refused",
        bar=f"all cut: after {due:.0f} s; 0 honest requests refused, no fault in the log",
        passed=max(took) <= due + GuardedProtocol.TICK + LATE
        and refused(told) == 0
        and told.total() > 0
        and service.faults() == [],
    )
