"""The command line as real processes, each test with a database of its own."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import asyncpg
import pytest
from redis import Redis

from authapi import cli
from tests.conftest import POSTGRES, SECRET, VALKEY
from tests.support.servers import make_database

PATIENCE = 30.0


@dataclass(frozen=True)
class Outcome:
    returncode: int
    stdout: str
    stderr: str


class Running:
    """A command that runs until it is told to end; what it says goes to a file."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(command(arguments), env=environment, stdout=output, stderr=output)

    def said(self) -> str:
        return self._log.read_text()

    def await_words(self, words: str, times: int = 1) -> None:
        await_(lambda: self.said().count(words) >= times or self.process.poll() is not None)
        assert self.said().count(words) >= times, self.said()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


Launch = Callable[..., Running]
Call = Callable[..., "Outcome"]


def command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "authapi", *arguments]


def await_(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def sql(url: str, statement: str, *values: object) -> list[Any]:
    async def fetch() -> list[Any]:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(fetch())


@pytest.fixture
def empty_database() -> Iterator[str]:
    """Without a schema."""
    server = os.environ[POSTGRES]
    name = f"cli_{uuid4().hex}"
    sql(server, f'CREATE DATABASE "{name}"')
    yield server.rsplit("/", 1)[0] + f"/{name}"
    sql(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def own_database() -> Iterator[str]:
    """Migrated."""
    server = os.environ[POSTGRES]
    name = f"cli_{uuid4().hex}"
    make_database(server, name)
    yield server.rsplit("/", 1)[0] + f"/{name}"
    sql(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def own_redis(worker: int) -> str:
    """A database that the tests over HTTP do not use."""
    url = os.environ[VALKEY].rsplit("/", 1)[0] + f"/{15 - worker % 8}"
    with Redis.from_url(url) as redis:
        redis.flushdb()
    return url


@pytest.fixture
def outside() -> dict[str, str]:
    """The caller's environment without anything of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AUTHAPI_", "PROMETHEUS_"))}


@pytest.fixture
def environment(outside: dict[str, str], own_database: str, own_redis: str) -> dict[str, str]:
    return outside | {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": own_database,
        "AUTHAPI_REDIS_URL": own_redis,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_ARGON2_MEMORY": "8192",
        "AUTHAPI_ARGON2_TIME": "1",
        "AUTHAPI_DATABASE_POOL": "5",
        "AUTHAPI_LOG_LEVEL": "debug",
    }


@pytest.fixture
def call() -> Call:
    """Runs a command to its end, in this process: for those that leave nothing behind in it."""

    def call(*arguments: str, environment: dict[str, str], stdin: str = "") -> Outcome:
        out, err = io.StringIO(), io.StringIO()
        with ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, environment, clear=True))
            stack.enter_context(patch.multiple(sys, argv=["authapi", *arguments], stdin=io.StringIO(stdin)))
            stack.enter_context(redirect_stdout(out))
            stack.enter_context(redirect_stderr(err))
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
        return Outcome(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def call_alone() -> Call:
    """The same in a process of its own."""

    def call(*arguments: str, environment: dict[str, str]) -> Outcome:
        run = subprocess.run(
            command(arguments), env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        return Outcome(run.returncode, run.stdout, run.stderr)

    return call


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    running: list[Running] = []

    def launch(*arguments: str, environment: dict[str, str]) -> Running:
        running.append(Running(arguments, environment, tmp_path / f"{len(running)}.log"))
        return running[-1]

    yield launch
    for each in running:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)
