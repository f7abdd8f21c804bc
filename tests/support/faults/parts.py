"""What the faults happen to, all its own: processes of the service, a worker, Postgres, Valkey, and proxies between."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from redis.asyncio import Redis

from authapi import migrations
from authapi.local import postgres, valkey
from tests.conftest import SECRET
from tests.support.contract.source import ROOT
from tests.support.processes import free_port
from tests.support.proxy import PostgresProxy, Proxy
from tests.support.servers import open_folder

ORIGIN = "http://127.0.0.1:8000"
DATABASE = "faults"

START_WITHIN = 90.0
"""Seconds; faults are for machines that have enough to do already."""


@dataclass
class Part:
    """A process of ours; it is ended by its pid."""

    arguments: Sequence[str]
    environment: dict[str, str]
    log: Path
    is_up: Callable[[], bool]
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Not on an event loop that serves what it needs."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTHAPI_")}
        with self.log.open("ab") as output:
            command, environment = [sys.executable, *self.arguments], inherited | self.environment
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        self.process, deadline = process, time.monotonic() + START_WITHIN
        while not self.is_up():
            assert time.monotonic() < deadline, f"it did not start:\n{self.log.read_text()}"
            assert process.poll() is None, f"it ended:\n{self.log.read_text()}"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, within: float = 30) -> int:
        """The exit code. What does not end in time (seconds) is killed."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@dataclass
class Instance(Part):
    """A process of `authapi serve`. It keeps its port when it is started again."""

    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def instance(environment: dict[str, str], log: Path, prefix: Sequence[str] = ("-m", "authapi")) -> Instance:
    def is_up() -> bool:
        try:
            return httpx.get(f"{made.url}/health/live").status_code == 200
        except httpx.TransportError:
            return False

    made = Instance((), environment, log, is_up)
    made.arguments = [*prefix, "serve", "--port", str(made.port)]
    return made


def worker(environment: dict[str, str], log: Path) -> Part:
    log.touch()
    starts = 0

    def is_up() -> bool:
        nonlocal starts
        said = log.read_text().count("the worker has started")
        is_new, starts = said > starts, max(said, starts)
        return is_new

    return Part(("-m", "authapi", "worker"), environment | {"AUTHAPI_LOG_LEVEL": "info"}, log, is_up)


class Parts:
    """`settings` as AUTHAPI_…; with `is_durable`, Postgres writes through to the disk (fsync), as in production; with
    `is_proxied`, the service reaches Postgres and Valkey through proxies only. `disk`: where Postgres has its data."""

    def __init__(
        self,
        folder: Path,
        *,
        instances: int = 2,
        is_durable: bool = False,
        is_proxied: bool = False,
        settings: Mapping[str, str] | None = None,
        disk: Path | None = None,
    ) -> None:
        self._data, self._is_durable = _on_disk() if is_durable else open_folder(), is_durable
        self._disk = disk or self._data / "postgres"
        self.postgres = postgres.start(self._disk, durable=is_durable)
        self.valkey = valkey.start(self._data / "valkey", durable=False)
        self.to_postgres = PostgresProxy(lambda: self.postgres.port)
        self.to_valkey = Proxy(lambda: self.valkey.port)
        database, redis = (self.to_postgres, self.to_valkey) if is_proxied else (self.postgres, self.valkey)
        environment = {
            "AUTHAPI_ENV": "development",
            "AUTHAPI_DATABASE_URL": f"postgresql://authapi@127.0.0.1:{database.port}/{DATABASE}",
            "AUTHAPI_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            "AUTHAPI_PUBLIC_URL": ORIGIN,
            "AUTHAPI_SECRET": SECRET,
            "AUTHAPI_ARGON2_MEMORY": "8192",
            "AUTHAPI_ARGON2_TIME": "1",
            "AUTHAPI_LIMITS_SCALE": "100000",
            "AUTHAPI_DATABASE_POOL": "10",
            "AUTHAPI_LOG_LEVEL": "warning",
            **(settings or {}),
        }
        self.instances = [instance(environment, folder / f"{number}.log") for number in range(instances)]
        self.worker = worker(environment, folder / "worker.log")

    @property
    def urls(self) -> list[str]:
        return [each.url for each in self.instances]

    def any_instance(self) -> "Instance":
        return secrets.choice(self.instances)

    async def start(self) -> None:
        """All but the worker."""
        await self.to_postgres.listen()
        await self.to_valkey.listen()
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        postgres.ensure_database(self.postgres, DATABASE)
        migrations.up(self.postgres.url(DATABASE))
        for each in self.instances:
            each.start()

    @property
    def dsn(self) -> str:
        """Past the proxy."""
        return self.postgres.url(DATABASE).replace("+asyncpg", "")

    async def rows(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Redis]:
        """Past the proxy."""
        async with Redis.from_url(self.valkey.url()) as redis:
            yield redis

    def send_postgres(self, number: signal.Signals) -> None:
        """To the first process and all its children: it would not pass the signal on."""
        for pid in (self.postgres.pid, *_children(self.postgres.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_postgres(self) -> None:
        """Its children notice by themselves."""
        os.kill(self.postgres.pid, signal.SIGKILL)

    def send_valkey(self, number: signal.Signals) -> None:
        os.kill(self.valkey.pid, number)

    async def start_postgres(self) -> None:
        """Again, after it was killed."""
        await asyncio.to_thread(self.postgres.stop)
        self.postgres = await asyncio.to_thread(lambda: postgres.start(self._disk, durable=self._is_durable))

    async def revive_postgres(self) -> None:
        """Where it has given up by itself."""
        if _children(self.postgres.pid) == []:
            await self.start_postgres()

    async def start_valkey(self) -> None:
        """Again and empty."""
        await asyncio.to_thread(self.valkey.stop)
        self.valkey = await asyncio.to_thread(lambda: valkey.start(self._data / "valkey", durable=False))

    async def stop(self) -> None:
        for part in (*self.instances, self.worker):
            if part.process is not None:
                await asyncio.to_thread(part.end, signal.SIGKILL)
        await self.to_postgres.close()
        await self.to_valkey.close()
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self.send_postgres(signal.SIGCONT)
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self._data, ignore_errors=True)


def _on_disk() -> Path:
    """A new folder that the servers' own account may enter, too."""
    folder = Path(tempfile.mkdtemp(prefix="authapi-faults-"))
    folder.chmod(0o755)
    return folder


def _children(parent: int) -> list[int]:
    """Of a process that may be frozen: by what Linux says of all of them."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[1]) == parent:
                found.append(int(entry.name))
    return found
