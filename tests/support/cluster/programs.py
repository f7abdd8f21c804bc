"""The processes of a cluster: started, ended by their pid, frozen, and started anew."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from authapi.local.account import NOBODY
from tests.support.cluster.hosts import Host

PATIENCE = 90.0
POLL = 0.02
"""Seconds."""


def missing() -> str | None:
    """Which programs there are no wheels of, and are not installed here: one sentence, or None."""
    absent = [name for name in ("haproxy", "pgbouncer") if shutil.which(name) is None]
    return f"needs {' and '.join(absent)}: apt-get install {' '.join(absent)}" if absent else None


def await_(condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(POLL)


@dataclass
class Program:
    """`answers` says that it can be used; without it, that somebody listens on the port."""

    host: Host
    port: int
    argv: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    as_nobody: bool = False
    answers: Callable[[], bool] | None = None
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.host.address}:{self.port}"

    @property
    def server(self) -> tuple[str, int]:
        return self.host.address, self.port

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, is_awaited: bool = True) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHAPI_", "PG"))}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.host.command(self.argv, as_nobody=self.as_nobody),
                env=kept | dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if is_awaited:
            self.await_answer()

    def await_answer(self) -> None:
        def answers() -> bool:
            assert self.is_running, f"{self.argv[0]} has ended:\n{self.log.read_text()[-2000:]}"
            return self.answers() if self.answers else self.listens()

        await_(answers, f"{self.argv[0]} on {self.address}")

    def listens(self) -> bool:
        with suppress(OSError), socket.create_connection((self.host.address, self.port), 1):
            return True
        return False

    def send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 20.0) -> None:
        """Returns when it is gone, by SIGKILL if it must be."""
        self.send(number)
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def kill(self) -> None:
        self.end(signal.SIGKILL)


Kind = TypeVar("Kind", bound=Program)


@contextmanager
def run(program: Kind) -> Iterator[Kind]:
    try:
        program.start()
        yield program
    finally:
        program.end()


def own(folder: Path) -> Path:
    """Makes a folder that a program without rights may write to."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    folder.chmod(0o700)
    return folder
