"""Starts, joins and stops one server process per folder."""

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from authapi.local.account import Account, settle
from authapi.local.binaries import CannotStart

_POLL = 0.02
_PATIENCE = 60.0
_PROC = Path("/proc/self/cmdline").exists()
_BETWEEN = "\0" if _PROC else " "
_WORTH_ANOTHER_TRY = ("Address already in use", "pre-existing shared memory block")
"""The race for a port was lost; or children of a killed Postgres have not all noticed yet."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Servers started here, so that they can be reaped."""


@dataclass(frozen=True, slots=True)
class Program:
    """How to run one kind of server. `command` gets data folder and port; `accepts` data folder, pid and port."""

    name: str
    prepare: Callable[[Path, Account], None]
    command: Callable[[Path, int, Account], list[str]]
    accepts: Callable[[Path, int, int], bool]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `started` is False if it ran before and was joined; `data` may lie outside of `folder`."""

    folder: Path
    port: int
    pid: int
    started: bool
    data: Path

    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0))
    """Signals to end it with, in order, each with the seconds to wait for its effect."""

    def stop(self) -> None:
        """Ends the server, whoever started it, and returns when it is gone. Does nothing if it is gone already.

        Raises PermissionError if it belongs to another user. The port stays noted for the next start.
        """
        with _locked(self.folder) if self.folder.is_dir() else contextlib.nullcontext():
            for number, seconds in self.endings:
                if _port_served(self.pid, self.data) is not None:
                    os.kill(self.pid, number)
                    _await_end(self.pid, self.data, seconds)
            if self.folder.is_dir() and _noted(self.folder, "pid") in (self.pid, None):
                _note(self.folder, {"port": self.port})


_Kind = TypeVar("_Kind", bound=Server)


def start(folder: Path, program: Program, kind: type[_Kind], *, durable: bool) -> _Kind:
    """The one server of `folder`: joined if it runs, else started. Waits until it answers. Raises CannotStart."""
    try:
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            data, account = settle(folder, lasting=durable)
            joined = _join(folder, data, program)
            pid, port = joined or _launch(folder, data, program, account)
            _note(folder, {"pid": pid, "port": port})
            return kind(folder, port, pid, joined is None, data)
    except OSError as error:
        where = f"{error.strerror or error}: {error.filename}" if error.filename else f"{error.strerror or error}"
        raise CannotStart(
            f"{program.name} cannot use the folder {folder} ({where}): name a folder that can be written to, "
            "on a disk with space left."
        ) from error


def find(data: Path, noted: int | None = None) -> int | None:
    """The pid of the server of these data, which need not be noted: its starter may have been killed before that."""
    if noted is not None and _port_served(noted, data) is not None:
        return noted
    return min((pid for pid in _pids() if _port_served(pid, data) is not None), default=None)


def _join(folder: Path, data: Path, program: Program) -> tuple[int, int] | None:
    pid = find(data, _noted(folder, "pid"))
    if pid is None:
        return None
    deadline = time.monotonic() + _PATIENCE
    while (port := _port_served(pid, data)) is not None:
        if program.accepts(data, pid, port):
            return pid, port
        if time.monotonic() > deadline:
            raise CannotStart(f"{program.name} runs as process {pid} but does not answer: end that process first.")
        time.sleep(_POLL)
    return None


def _launch(folder: Path, data: Path, program: Program, account: Account) -> tuple[int, int]:
    program.prepare(data, account)
    port = _free_port(_noted(folder, "port"))
    deadline = time.monotonic() + _PATIENCE
    with (folder / "log").open("ab") as log:
        while True:
            begin = log.seek(0, os.SEEK_END)
            process = account.popen(program.command(data, port, account), log.fileno())
            _children[process.pid] = process
            _note(folder, {"pid": process.pid, "port": port})
            if _answers(process, data, port, program, deadline):
                return process.pid, port
            said = (folder / "log").read_bytes()[begin:].decode(errors="replace")
            if time.monotonic() > deadline or not any(words in said for words in _WORTH_ANOTHER_TRY):
                lines = " | ".join(said.split("\n")[-6:]).strip(" |")
                raise CannotStart(f"{program.name} did not start; {folder / 'log'} may say why and ends with: {lines}")
            port = _free_port(None)
            time.sleep(_POLL)


def _answers(process: subprocess.Popen[bytes], data: Path, port: int, program: Program, deadline: float) -> bool:
    while process.poll() is None:
        if program.accepts(data, process.pid, port):
            return True
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
        time.sleep(_POLL)
    return False


def _port_served(pid: int, data: Path) -> int | None:
    """A pid is believed only if its command line is one of ours and names the data folder; else None."""
    if pid in _children and _children[pid].poll() is not None:
        del _children[pid]
    ours = _BETWEEN.join((r"(?:-D|--dir)", re.escape(str(data)), r"(?:-p|--port)", r"(\d+)"))
    found = re.search(f"{_BETWEEN}{ours}{_BETWEEN}", _command_line(pid))
    return int(found[1]) if found else None


def _command_line(pid: int) -> str:
    """Empty for a process that is gone, a zombie, or hidden from us."""
    if _PROC:
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes())
        except OSError:
            return ""
    asked = subprocess.run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603
    return os.fsdecode(asked.stdout).strip()


def _pids() -> list[int]:
    if _PROC:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    asked = subprocess.run(["/bin/ps", "-axo", "pid="], capture_output=True, check=False)
    return [int(pid) for pid in asked.stdout.split()]


def _await_end(pid: int, data: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _port_served(pid, data) is not None and time.monotonic() < deadline:
        time.sleep(_POLL)


def _free_port(earlier: int | None) -> int:
    if earlier is not None:
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", earlier))
            return earlier
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    deadline = time.monotonic() + 2 * _PATIENCE
    with (folder / "lock").open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise CannotStart(f"Another process has held {folder / 'lock'} for too long: end it.") from error
                time.sleep(_POLL)
        yield


def _noted(folder: Path, name: str) -> int | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        value = json.loads((folder / "state.json").read_bytes()).get(name)
        return value if isinstance(value, int) and value > 0 else None
    return None


def _note(folder: Path, state: dict[str, int]) -> None:
    draft = folder / "state.json.new"
    draft.write_text(json.dumps(state) + "\n")
    draft.replace(folder / "state.json")
