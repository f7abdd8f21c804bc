"""`authapi dev`: the whole service with servers of its own, on this machine, until Ctrl-C."""

import fcntl
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from authapi.local import address, postgres, valkey
from authapi.local.binaries import CannotStart
from authapi.local.greeting import greeting
from authapi.local.process import Server

FOLDER = Path(".authapi")
DATABASE = "authapi"
LIMITS_SCALE = "1000"
FREE_FAILURES = "10000"
"""Of one address: everything that is tried out here comes from one."""

PATIENCE = 120.0
"""Seconds until the API must be ready; it migrates a database that may be large."""

FAREWELL = 10.0
"""Seconds a child may take to end what it does."""

TICK = 0.05


class Child:
    """A command of authapi that lives no longer than this process does: see `attended`. It logs to our terminal."""

    def __init__(self, name: str, command: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "authapi.attended", command, str(FOLDER.resolve())],
            env=environment,
            stdin=subprocess.PIPE,
            start_new_session=True,  # out of reach of the terminal's Ctrl-C, which it gets from us, once
        )

    def go(self, settings: Mapping[str, str]) -> None:
        """Lets it begin; until now it has only warmed up."""
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None  # noqa: S101 - by PIPE above
            self._process.stdin.write(json.dumps(settings).encode() + b"\n")
            self._process.stdin.flush()

    def check(self) -> None:
        """Raises CannotStart when it has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise CannotStart(f"The {self.name} has ended by itself (code {code}): its last lines above may say why.")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Servers:
    """The servers of a folder, shared by all that run in it. They end with the last one that uses them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Server] = []

    @contextmanager
    def used(self, stop: threading.Event) -> Iterator[None]:
        """Waits while another one stops them. Asking to be the only one gives up the share, so the last gets it."""
        with (self._folder / "users.lock").open("ab") as users:
            while not stop.is_set() and not _locks(users.fileno(), fcntl.LOCK_SH):
                stop.wait(TICK)
            try:
                yield
            finally:
                if self._started and _locks(users.fileno(), fcntl.LOCK_EX):
                    _at_once([server.stop for server in self._started])

    def start(self) -> dict[str, str]:
        """Settings that lead to the servers; whatever the environment names is used and not started."""
        found: dict[str, str] = {}

        def start_postgres() -> None:
            server = postgres.start(self._folder / "postgres")
            self._started.append(server)
            postgres.ensure_database(server, DATABASE)
            found["AUTHAPI_DATABASE_URL"] = server.url(DATABASE)

        def start_valkey() -> None:
            server = valkey.start(self._folder / "valkey")
            self._started.append(server)
            found["AUTHAPI_REDIS_URL"] = server.url()

        starts = {"AUTHAPI_DATABASE_URL": start_postgres, "AUTHAPI_REDIS_URL": start_valkey}
        _at_once([start for name, start in starts.items() if not os.environ.get(name)])
        return found

    def names(self) -> list[str]:
        return sorted(f"{type(server).__name__:<15} 127.0.0.1:{server.port}" for server in self._started)


def run(host: str | None = None, port: int | None = None) -> int:
    """Returns the exit code when somebody has asked it to stop, or when something has failed, in one sentence."""

    def serve(stop: threading.Event) -> int:
        at = host or os.environ.get("AUTHAPI_HOST") or "127.0.0.1"
        number = address.choose(at, os.environ.get("AUTHAPI_PORT") or "8000" if port is None else str(port))
        servers = Servers(_prepared(FOLDER))
        with servers.used(stop):
            if not stop.is_set():
                _serve(at, number, servers, stop)
        say("Stopped.")
        return 0

    return _stoppable(serve)


def lend(command: Sequence[str]) -> int:
    """Runs a command with the servers and settings of this folder, whether `run` is running here or not."""

    def borrow(stop: threading.Event) -> int:
        servers = Servers(_prepared(FOLDER))
        with servers.used(stop):
            environment = _environment("127.0.0.1", 8000) | servers.start()
            environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", "")))
            return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603

    return _stoppable(borrow)


def _stoppable(deed: Callable[[threading.Event], int]) -> int:
    """Every signal to end is noted and never interrupts, so that a second one does no harm."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        return deed(stop)
    except CannotStart as error:
        if stop.is_set():  # what was interrupted, too, may complain, and nobody wants to hear that
            return 0
        print(error, file=sys.stderr)
        return 1


def say(text: str) -> None:
    """Goes on when the terminal is gone: there is still something to stop."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _serve(host: str, port: int, servers: Servers, stop: threading.Event) -> None:
    """The API warms up while the servers start; the worker follows, since nobody waits for it."""
    environment = _environment(host, port)
    children = [Child("API", "serve", environment)]
    try:
        found = servers.start()
        children[0].go(found)
        if _ready(host, port, children[0], stop):
            children.append(Child("worker", "worker", environment))
            children[1].go(found)
            say(_greeting(host, port, servers.names()))
        while not stop.wait(4 * TICK):
            for child in children:
                child.check()
        say("\nStopping ...")
    finally:
        _at_once([child.stop for child in children])


def _ready(host: str, port: int, api: Child, stop: threading.Event) -> bool:
    """False if it shall stop."""
    deadline = time.monotonic() + PATIENCE
    while not stop.wait(TICK):
        api.check()
        if _answers(host, port):
            return True
        if time.monotonic() > deadline:
            raise CannotStart(f"The API is not ready after {PATIENCE:.0f} s: its last lines above may say why.")
    return False


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address.reachable(host), port, timeout=5)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    return False


def _prepared(folder: Path) -> Path:
    try:
        folder.mkdir(exist_ok=True)
        _secret(folder)
        (folder / "users.lock").open("ab").close()
    except OSError as error:
        raise CannotStart(
            f"{folder.resolve()} cannot be used ({error.strerror}): run this in a folder that you may write to."
        ) from error
    return folder.resolve()


def _environment(host: str, port: int) -> dict[str, str]:
    """Ours, without what belongs to a run of the tests, and with what makes it one for development."""
    given = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AUTHAPI_TESTS_") and (value or not name.startswith("AUTHAPI_"))
    }
    defaults = {
        "AUTHAPI_PUBLIC_URL": address.url(host, port),
        "AUTHAPI_LIMITS_SCALE": LIMITS_SCALE,
        "AUTHAPI_SIGN_IN_FREE_FAILURES_PER_ADDRESS": FREE_FAILURES,
        "AUTHAPI_SECRET": _secret(FOLDER),
    }
    return defaults | given | {"AUTHAPI_ENV": "development", "AUTHAPI_HOST": host, "AUTHAPI_PORT": str(port)}


def _secret(folder: Path) -> str:
    """Made once. It appears complete or not at all, and the first of two that make it wins."""
    path = folder / "secret"
    if not path.exists():
        draft = folder / f"secret.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


def _greeting(host: str, port: int, servers: list[str]) -> str:
    return greeting(
        host=host,
        port=port,
        url=address.url(host, port),
        servers=servers,
        scale=os.environ.get("AUTHAPI_LIMITS_SCALE") or LIMITS_SCALE,
        secret="AUTHAPI_SECRET" if os.environ.get("AUTHAPI_SECRET") else f"{FOLDER}/secret",
        folder=f"{FOLDER}/",
    )


def _locks(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _at_once(deeds: Sequence[Callable[[], None]]) -> None:
    """Returns when all are done, and raises what the first one raised."""
    with ThreadPoolExecutor(max(1, len(deeds))) as pool:
        done = [pool.submit(deed) for deed in deeds]
    for each in done:
        each.result()


if __name__ == "__main__":
    raise SystemExit(lend(sys.argv[1:]) if sys.argv[1:] else run())
