"""Redis with short deadlines and a circuit breaker: it is a fast copy, so a slow answer is no answer."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from authapi.core import redis_servers
from authapi.core.secrets import Random
from authapi.core.sharing import Shared

Q = TypeVar("Q")
T = TypeVar("T")
Commands: TypeAlias = Sequence[tuple[str | int, ...]]

CONNECT_TIMEOUT = 0.25
OPERATION_TIMEOUT = 0.05
CONNECTIONS = 64
FAILURES_TO_OPEN = 3
PAUSE = 0.5
"""Seconds that an open breaker lets nothing through; up to twice as long, by chance, so that instances spread."""

NAMESPACE = "{authapi}"
"""Begins every key that is asked for together with another: the braces keep them on one node of a cluster."""

EPOCH = f"{NAMESPACE}:epoch"
LIFE = f"{NAMESPACE}:life"


class RedisDown(Exception):
    """Redis did not answer in time, or was not asked because it lately did not."""


class GuardedRedis:
    def __init__(self, url: str, random: Random, *, watch_lives: bool = True) -> None:
        self._random = random
        self._failures = 0
        self._open_until = 0.0
        self.pool = redis_servers.pool(
            url,
            key=LIFE,
            max_connections=CONNECTIONS,
            timeout=OPERATION_TIMEOUT,
            socket_timeout=OPERATION_TIMEOUT,
            socket_connect_timeout=CONNECT_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=_forget_another_life if watch_lives else None,
        )
        self.client = Redis.from_pool(self.pool)
        self._tell = self.shared(self._send)
        self._read = self.shared(self._get)

    @property
    def is_open(self) -> bool:
        """Whether the breaker is open: Redis is not asked."""
        return time.monotonic() < self._open_until

    async def ask(self, question: Callable[[Redis], Awaitable[T]]) -> T:
        """The answer to one operation. Raises RedisDown."""
        if self.is_open:
            raise RedisDown("the breaker is open")
        try:
            answer = await question(self.client)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed()
            raise RedisDown(type(error).__name__) from error
        self._failures = 0
        return answer

    def shared(self, many: Callable[[Sequence[Q]], Awaitable[Sequence[T]]]) -> Callable[[Q], Awaitable[T]]:
        """What asks by trips that many share, and is answered within twice the deadline of one. A trip that fails has
        failed for all who share it, and nobody goes again: each does what is to be done without Redis.

        What it returns raises RedisDown.
        """

        async def one(question: Q) -> T:
            (answer,) = await many([question])
            return answer

        queue = Shared(one, many, patience=OPERATION_TIMEOUT)

        async def ask(question: Q) -> T:
            try:
                return await queue.ask(question)
            except TimeoutError as error:
                raise RedisDown("the trip before took too long") from error

        return ask

    async def read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """The values of these keys, at one moment after it was asked, in one trip with what others want to read.

        Raises RedisDown.
        """
        return await self._read(keys)

    async def _get(self, calls: Sequence[Sequence[str]]) -> Sequence[Sequence[bytes | None]]:
        wanted = [key for keys in calls for key in keys]
        found = iter(cast("list[bytes | None]", await self.ask(lambda redis: redis.mget(wanted))))  # nothing is decoded
        return [[next(found) for _ in keys] for keys in calls]

    async def tell(self, commands: Commands) -> None:
        """Sends what needs no answer, in one trip with what others have to say. Returns when all of it has been done.

        Raises RedisDown.
        """
        await self._tell(commands)

    async def _send(self, calls: Sequence[Commands]) -> Sequence[None]:
        await self.ask(lambda redis: _execute(redis, [command for commands in calls for command in commands]))
        return [None] * len(calls)

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_TO_OPEN:
            self._open_until = time.monotonic() + PAUSE * (1 + self._random.fraction())

    async def close(self) -> None:
        await self.client.aclose()
        await self.pool.disconnect()


async def _execute(redis: Redis, commands: Commands) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        await pipe.execute()


async def _forget_another_life(connection: AbstractConnection) -> None:
    """On each new connection: a server that was restarted (from whatever it kept) or promoted has another run id than
    the one whose copy was complete, so its epoch is taken away, and the copy is rebuilt before it is believed."""
    await connection.on_connect()
    run_id = await _run_id(connection)
    life = await _call(connection, "GET", LIFE)
    if run_id and life != run_id:
        await _call(connection, "DEL", EPOCH)


async def run_id(client: Redis) -> bytes:
    """What tells this run of the server from the one before, or nothing where the server does not say."""
    return _parse_run_id(await client.info("server"))


async def _run_id(connection: AbstractConnection) -> bytes:
    return _parse_run_id(await _call(connection, "INFO", "server"))


def _parse_run_id(info: Any) -> bytes:
    if isinstance(info, dict):
        return str(info.get("run_id", "")).encode()
    lines = bytes(info).splitlines()
    return next((line.partition(b":")[2].strip() for line in lines if line.startswith(b"run_id:")), b"")


async def _call(connection: AbstractConnection, *command: str) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()
