"""Runs the HTTP application under uvicorn, in one process or in several."""

import asyncio
import gc
import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from prometheus_client.multiprocess import mark_process_dead
from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess, multiprocess

from authapi.core import logs
from authapi.core.context import open_context
from authapi.core.protocol import GuardedProtocol
from authapi.core.settings import Settings
from authapi.sessions import cookies, pulse

KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than the 60 after which most proxies close theirs."""

GRACE = 20
"""Seconds that requests in flight may still take after SIGTERM."""

METRICS = "PROMETHEUS_MULTIPROC_DIR"

QUIET, LONGEST_FAREWELL = 1.0, 5.0
"""Seconds without a request after which nobody is taken to be on the way, and that this is waited for at most."""

CLOSE = (b"connection", b"close")

log = logging.getLogger(__name__)


class CannotServe(Exception):
    """The service cannot start here. The message is one sentence."""


def run(settings: Settings, *, host: str, port: int, workers: int) -> int:
    """Serves until SIGTERM or SIGINT; what is in flight then is finished. Returns the exit code.

    Raises CannotServe, Misconfigured, and what the database raises where it cannot be used.
    """
    logs.configure(settings)
    asyncio.run(_try(settings))
    config = _config(workers)
    listener = _bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    if cookies.are_plain(settings):
        log.warning("cookies go without Secure and the prefix __Host-: plain HTTP on this machine, for development")
    log.info("the service starts", extra={"url": f"http://{shown}:{listener.getsockname()[1]}", "workers": workers})
    if workers == 1:
        _Server(config).run([listener])
        return 0
    gc.enable()  # the supervisor's own
    multiprocess.Process = _Process  # type: ignore[misc]  # uvicorn's supervisor cannot be told of another one
    with _shared_metrics():
        supervisor = _Workers(config, [listener])
        supervisor.run()
    return 1 if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes) else 0


class _Server(Server):
    """On SIGTERM it takes its leave first: it is not ready, yet serves, and closes each connection with an answer.

    Who is connected could otherwise just be asking when its connection is closed, and would not know what became of it.
    """

    _is_hurried = False
    _farewell: float | None = None
    """When it began, on the monotonic clock."""
    _asked, _asked_at = 0, 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Without noting the signal: uvicorn would raise it again at the end, which would not be a clean exit."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        self._is_hurried |= sig == signal.SIGINT

    async def on_tick(self, counter: int) -> bool:
        is_over = await super().on_tick(counter)
        return is_over and (self._is_hurried or self._has_taken_leave())

    def _has_taken_leave(self) -> bool:
        now, heard = time.monotonic(), self.config.loaded_app.state.context.heard
        if self._farewell is None:
            self._farewell = now
            heard.is_stopping = True
        if CLOSE not in self.server_state.default_headers:  # which uvicorn makes anew each second
            self.server_state.default_headers.append(CLOSE)
        asked = self.server_state.total_requests - heard.probes
        if asked != self._asked:
            self._asked, self._asked_at = asked, now
        return now - max(self._farewell, self._asked_at) > QUIET or now - self._farewell > LONGEST_FAREWELL


class _Process(multiprocess.Process):
    """One of several, which takes its leave like one that is alone."""

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = _Server(self.config)
        return self._server


class _Workers(Multiprocess):
    """uvicorn's supervisor, which starts dead workers again; their metrics must not count as live ones."""

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._known: set[int] = set()

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        alive = {process.pid for process in self.processes if process.pid is not None}
        for pid in self._known - alive:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
        self._known = alive


def _config(workers: int) -> Config:
    return Config(
        "authapi.app:application",
        factory=True,
        workers=workers,
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )


async def _try(settings: Settings) -> None:
    """What every process does first, done once where a failure can still be told in one sentence."""
    async with open_context(settings) as ctx:
        await pulse.beat(ctx)


def _bind(host: str, port: int) -> socket.socket:
    """Does not listen yet: who asks before the service is ready is refused, not kept waiting."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"{host}:{port} cannot be used ({error.strerror}): choose others with --host and --port, or AUTHAPI_HOST "
            "and AUTHAPI_PORT."
        ) from error
    listener.set_inheritable(True)
    return listener


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A fresh folder in which the processes put their metrics together, unless one is given."""
    if os.environ.get(METRICS):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="authapi-metrics-") as folder:
        os.environ[METRICS] = folder
        try:
            yield
        finally:
            del os.environ[METRICS]
