"""A contestant that runs: one process tree, pinned to its core, ended by pid."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks import proc
from benchmarks.peers import BENCH, CannotRun, Peer
from benchmarks.servers import LOAD_CORE, SERVER_CORE, Backends

Hash = Literal["none", "own"]
PATIENCE = 60.0
POLL = 0.002


@dataclass(slots=True)
class Contestant:
    peer: Peer
    hash: Hash
    environment: dict[str, str]
    cores: str = str(SERVER_CORE)
    port: int = 0
    pid: int = 0
    cold: list[float] = field(default_factory=list)
    """Seconds from spawn to the first 200, of each start."""
    idle: int = 0
    """PSS in bytes before any load."""
    people: int = 0
    """How many numbers for unique addresses have been given out."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        return database_of(self.peer, self.hash)

    def start(self) -> None:
        """Raises CannotRun."""
        self.port = _free_port()
        environment = self.peer.environment(**self.environment, PORT=str(self.port))
        begin = time.perf_counter()
        with log_of(self.peer, self.hash).open("wb") as log:
            self._process = subprocess.Popen(
                pinned(["sh", "start.sh"], self.cores),
                cwd=self.peer.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid
        while not _answers(self.url + self.peer.ready):
            if self._process.poll() is not None or time.perf_counter() - begin > PATIENCE:
                self.stop()
                raise CannotRun(f"{self.peer.title} did not start: {self._last_lines()}")
            time.sleep(POLL)
        self.cold.append(time.perf_counter() - begin)

    def stop(self) -> None:
        if self._process is None:
            return
        for number, seconds in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
            if self._process.poll() is None:
                if number == signal.SIGTERM:
                    self._process.send_signal(number)
                else:
                    os.killpg(self._process.pid, number)
                try:
                    self._process.wait(seconds)
                except subprocess.TimeoutExpired:
                    continue
        self._process = None

    def check(self) -> list[str]:
        """The facts it has shown. Raises CannotRun when it does not do what it claims."""
        command = [sys.executable, "check.py", self.url]
        environment = self.peer.environment(**self.environment)
        done = subprocess.run(
            command, cwd=self.peer.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise CannotRun(f"{self.peer.title} is left out: it does not do what it claims: {' '.join(said)}")
        return done.stdout.splitlines()

    def _last_lines(self) -> str:
        return " | ".join(log_of(self.peer, self.hash).read_text(errors="replace").strip().splitlines()[-4:])


@contextmanager
def running(
    peer: Peer,
    hash: Hash,
    backends: Backends,
    number: int,
    starts: int = 1,
    *,
    cores: str = str(SERVER_CORE),
    **more: str,
) -> Iterator[Contestant]:
    """Prepared in an empty database, started `starts` times for the cold start, and checked. `more` is environment."""
    environment = {"HASH": hash} | backends.fresh(database_of(peer, hash), number) | more
    contestant = Contestant(peer, hash, environment, cores)
    if peer.has("prepare.sh"):
        _prepare(contestant)
    try:
        for _ in range(starts):
            contestant.stop()
            contestant.start()
        time.sleep(1)
        contestant.idle = proc.pss(contestant.pid)
        contestant.check()
        yield contestant
    finally:
        contestant.stop()


def pinned(command: list[str], cores: str = str(SERVER_CORE)) -> list[str]:
    """To a core of its own, where there is more than one."""
    return ["taskset", "-c", cores, *command] if (os.cpu_count() or 1) > LOAD_CORE else command


def database_of(peer: Peer, hash: Hash) -> str:
    return f"bench_{peer.name}_{hash}"


def log_of(peer: Peer, hash: Hash) -> Path:
    folder = BENCH / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{peer.name}.{hash}.log"


def _prepare(contestant: Contestant) -> None:
    peer = contestant.peer
    with log_of(peer, contestant.hash).open("wb") as log:
        environment = peer.environment(**contestant.environment, PORT="0")
        command = ["sh", "prepare.sh"]
        done = subprocess.run(command, cwd=peer.folder, env=environment, stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        lines = log_of(peer, contestant.hash).read_text(errors="replace").strip().splitlines()[-3:]
        raise CannotRun(f"{peer.title} is left out: its schema could not be made: {' | '.join(lines)}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - ours
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
