"""`authapi dev` as somebody runs it: a process and a folder of its own, seen by what it prints and answers."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from authapi.local import process
from tests.support.processes import free_port

PATIENCE = 60.0
LAST_LINE = "/logout"


class Dev:
    """Its output goes to a file, since its children write there, too."""

    def __init__(self, folder: Path, port: int, **environment: str) -> None:
        self.folder, self.port = folder, port
        self._log = Path(tempfile.mkstemp(prefix="authapi-dev-")[1])
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "authapi.dev"],
                cwd=folder,
                env=kept | {"AUTHAPI_PORT": str(port)} | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def lines(self) -> list[str]:
        """The five to paste."""
        return [line for line in self.said.split("\n") if line.startswith(("curl ", "T=$("))]

    def up(self) -> "Dev":
        until(lambda: self.process.poll() is not None or any(LAST_LINE in line for line in self.lines))
        assert self.process.poll() is None, self.said
        return self

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False)

    def post(self, path: str, body: object) -> httpx.Response:
        return httpx.post(f"http://127.0.0.1:{self.port}/api/v1/auth{path}", json=body, trust_env=False)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """As a terminal does it: to the whole group."""
        os.killpg(self.process.pid, number)
        return self.process.wait(PATIENCE)

    def remove(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.unlink()


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def running(folder: Path, words: str = "") -> list[int]:
    """The processes of a folder; all of them name it in their command line."""
    lines = {pid: process._command_line(pid) for pid in process._pids() if pid != os.getpid()}
    return [pid for pid, line in lines.items() if str(folder) in line and words in line]


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="authapi-dev-")).resolve()
    path.chmod(0o755)
    yield path
    for pid in running(path):
        os.kill(pid, signal.SIGKILL)
    for data in path.glob(".authapi/*/data"):
        if data.is_symlink():
            shutil.rmtree(data.resolve().parent, ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def another_port(port: int) -> int:
    while (found := free_port()) == port:
        pass
    return found


@pytest.fixture
def dev(folder: Path) -> Iterator[Callable[..., Dev]]:
    started: list[Dev] = []

    def start(port: int, **environment: str) -> Dev:
        started.append(Dev(folder, port, **environment))
        return started[-1]

    yield start
    for each in started:
        each.remove()
