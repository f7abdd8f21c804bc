"""What the model over HTTP runs on, all its own: two processes of the service, Postgres, Valkey; each may be killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
from redis.asyncio import Redis

from authapi import migrations
from authapi.local import postgres, valkey
from tests.conftest import SECRET
from tests.support.contract.source import ROOT
from tests.support.model.clocked import MICROSECOND, SIZE, FileClock
from tests.support.processes import START_WITHIN, free_port
from tests.support.servers import open_folder

IDLE, ABSOLUTE = 7 * 86_400, 30 * 86_400
SESSIONS = 4
"""That a person may have."""


@dataclass
class Instance:
    """One process of the service. It keeps its port when it is started again."""

    environment: dict[str, str]
    clock: Path
    log: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTHAPI_")}
        command = [sys.executable, "-m", "tests.support.model.clocked", str(self.clock), "127.0.0.1", str(self.port)]
        with self.log.open("ab") as output:
            environment = inherited | self.environment
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        self.process = process
        deadline = time.monotonic() + START_WITHIN
        while not self._is_up():
            assert time.monotonic() < deadline, f"it did not start:\n{self.log.read_text()}"
            assert process.poll() is None, f"it ended:\n{self.log.read_text()}"
            time.sleep(0.02)
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=10)

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def forget(self) -> None:
        """After it was killed, and every request to it has failed."""
        await self.client.aclose()


class Machines:
    def __init__(self, *, window: int, folder: Path) -> None:
        self.window = window
        self._data, path = open_folder(), folder / "clock"
        path.write_bytes(bytes(SIZE))
        self.clock = FileClock(path)
        self.postgres = postgres.start(self._data / "postgres", durable=False)
        self.valkey = valkey.start(self._data / "valkey", durable=False)
        self.instances = [Instance(self._environment(), path, folder / f"{name}.log") for name in "ab"]
        self._reader: asyncpg.Connection[asyncpg.Record] | None = None

    def start(self) -> None:
        """Not on an event loop."""
        postgres.ensure_database(self.postgres, "model")
        migrations.up(self.postgres.url("model"))
        for instance in self.instances:
            instance.start()

    def _environment(self) -> dict[str, str]:
        return {
            "AUTHAPI_ENV": "development",
            "AUTHAPI_DATABASE_URL": self.postgres.url("model"),
            "AUTHAPI_REDIS_URL": self.valkey.url(),
            "AUTHAPI_SECRET": SECRET,
            "AUTHAPI_ARGON2_MEMORY": "8192",
            "AUTHAPI_ARGON2_TIME": "1",
            "AUTHAPI_LIMITS_SCALE": "100000",
            "AUTHAPI_DATABASE_POOL": "10",
            "AUTHAPI_REFRESH_REUSE_WINDOW": str(self.window),
            "AUTHAPI_SESSION_IDLE_LIFETIME": str(IDLE),
            "AUTHAPI_SESSION_ABSOLUTE_LIFETIME": str(ABSOLUTE),
            "AUTHAPI_SESSIONS_PER_USER": str(SESSIONS),
            "AUTHAPI_LOG_LEVEL": "warning",
        }

    def now(self) -> int:
        """The database's time and the offset, in microseconds: it runs on this machine's clock."""
        return time.time_ns() // 1000 + self.clock.offset // MICROSECOND

    def advance(self, seconds: float) -> None:
        self.clock.offset += timedelta(seconds=seconds)

    async def rows(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        if self._reader is None or self._reader.is_closed():
            self._reader = await asyncpg.connect(self.postgres.url("model").replace("+asyncpg", ""))
        return list(await self._reader.fetch(statement, *arguments))

    async def flush(self) -> None:
        async with Redis.from_url(self.valkey.url()) as redis:
            await redis.flushall()

    def kill_valkey(self) -> None:
        os.kill(self.valkey.pid, signal.SIGKILL)

    def start_valkey(self) -> None:
        self.valkey.stop()
        self.valkey = valkey.start(self._data / "valkey", durable=False)

    def kill_postgres(self) -> None:
        if self._reader is not None:
            self._reader.terminate()
        self._reader = None
        os.kill(self.postgres.pid, signal.SIGKILL)

    def start_postgres(self) -> None:
        self.postgres.stop()
        self.postgres = postgres.start(self._data / "postgres", durable=False)

    async def leave(self) -> None:
        """Closes the connections to what runs."""
        for instance in self.instances:
            await instance.forget()
        if self._reader is not None:
            await self._reader.close()

    def stop(self) -> None:
        for instance in self.instances:
            instance.kill()
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self._data, ignore_errors=True)
