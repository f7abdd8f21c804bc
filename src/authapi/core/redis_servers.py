"""Which Redis to connect to: the one of the URL, the master that sentinels name, or the node that holds our keys.

All our keys are in one slot of a cluster (`redis.NAMESPACE`), so all are on one node, and connections to that one are
all it takes: scripts and pipelines stay what they are.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Connection, SSLConnection
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import MovedError, ReadOnlyError, RedisError

from authapi.core import urls
from authapi.core.settings import Misconfigured

Server: TypeAlias = tuple[str, int]

USUAL_PORTS = {"sentinel": 26379, "cluster": 6379}
ANSWER_TIMEOUT = 0.25
"""Seconds that each of those has who know where the server is; they are asked at the same time."""

MUST_READ = (
    "AUTHAPI_REDIS_URL must read like redis://host:6379/0, redis+sentinel://host1:26379,host2:26379/service "
    "or redis+cluster://host1:6379,host2:6379"
)


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Sentinels or nodes of a cluster, and the command whose answer names the server."""

    servers: Sequence[Server]
    command: tuple[str, ...]
    connection: type[Connection]
    options: dict[str, Any]

    async def find(self) -> Server:
        """What most of those say who answer: one that is cut off from the rest may be behind."""
        answers = await asyncio.gather(*(self._ask(server) for server in self.servers))
        named = Counter(answer for answer in answers if answer is not None).most_common(1)
        if not named:
            raise NotConnected("nobody says which server to ask")
        return named[0][0]

    async def _ask(self, server: Server) -> Server | None:
        connection = self.connection(host=server[0], port=server[1], retry=Retry(NoBackoff(), 0), **self.options)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command(*self.command)
                answer = await connection.read_response()
        except MovedError as moved:
            return moved.host or server[0], moved.port
        except (RedisError, OSError, TimeoutError):
            return None
        finally:
            await connection.disconnect(nowait=True)
        if self.command[0] == "GET":  # a node answers this only for keys of its own
            return server
        return (answer[0].decode(), int(answer[1])) if answer else None


class FindingConnection(Connection):
    """Looks for its server each time it connects, and leaves one that was demoted."""

    def __init__(self, *, witnesses: Witnesses, **options: Any) -> None:
        super().__init__(**options)
        self._witnesses = witnesses

    async def _connect(self) -> None:
        self.host, self.port = await self._witnesses.find()
        await super()._connect()  # type: ignore[no-untyped-call]

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)
        except (MovedError, ReadOnlyError) as error:
            await self.disconnect()
            raise NotConnected("another server has taken over") from error


class FindingSSLConnection(FindingConnection, SSLConnection):
    pass


def pool(url: str, *, key: str, **options: Any) -> BlockingConnectionPool:
    """`rediss` asks for TLS, `valkey` will do as well. `key` is one in our slot. Raises Misconfigured."""
    scheme, _, rest = url.partition("://")
    protocol, _, kind = scheme.replace("valkey", "redis", 1).partition("+")
    if not kind:
        return BlockingConnectionPool.from_url(f"{protocol}://{rest}", **options)
    _, account, hosts, path, query = urls.split(url)
    service, _, number = path.strip("/").partition("/")
    if kind not in USUAL_PORTS or bool(service) != (kind == "sentinel"):
        raise Misconfigured(MUST_READ)
    given: dict[str, Any] = {**parse_url(f"{protocol}://{account}host/{number}?{query}")}
    del given["host"]
    is_secure = given.pop("connection_class", None) is not None
    own = {name: given.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    witnesses = Witnesses(
        _servers(hosts, USUAL_PORTS[kind]),
        ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", unquote(service)) if service else ("GET", key),
        SSLConnection if is_secure else Connection,
        {**given, **own, "db": 0} if service else given,
    )
    kind_of = FindingSSLConnection if is_secure else FindingConnection
    return BlockingConnectionPool(connection_class=kind_of, witnesses=witnesses, **given, **options)


def _servers(hosts: Sequence[str], port: int) -> list[Server]:
    try:
        parts = [urlsplit(f"//{host}") for host in hosts]
        return [(part.hostname or "localhost", part.port or port) for part in parts]
    except ValueError:
        raise Misconfigured(MUST_READ) from None
