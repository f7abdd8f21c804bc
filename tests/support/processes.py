"""The service as it runs in production: real processes on free ports of the loopback."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

START_WITHIN = 30.0
"""Seconds."""

FIRST_PORT, PORTS = 20_000, 12_000

TRIES = 3
"""Between finding a free port and listening on it, somebody else may take it."""


def free_port() -> int:
    """Below the ports that the kernel hands out to connections, of which any may take it before it is listened on."""
    while True:
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[str]:
    """One process of the service; yields its URL. Ends it by pid, gently and then not."""
    for _ in range(TRIES):
        url = f"http://127.0.0.1:{free_port()}"
        process = _launch(url, environment, log)
        if _is_up(url, process):
            break
        process.kill()
        process.wait()
    else:
        raise AssertionError(f"the service did not start:\n{log.read_text()}")
    try:
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _launch(url: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTHAPI_")}
    host, _, port = url.removeprefix("http://").partition(":")
    command = [sys.executable, "-m", "authapi", "serve", "--host", host, "--port", port]
    with log.open("ab") as output:
        return subprocess.Popen(command, env=inherited | environment, stdout=output, stderr=output)


def _is_up(url: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return httpx.get(f"{url}/health/live").status_code == 200
        except httpx.TransportError:
            time.sleep(0.02)
    return False
