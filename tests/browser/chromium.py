"""A headless Chromium, led over its pipe by the Chrome DevTools Protocol; and the service that it visits."""

import itertools
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from authapi.core.settings import Settings
from tests.conftest import SECRET
from tests.support.processes import serving

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--no-proxy-server", "--mute-audio", "--remote-debugging-pipe"),
)
READS, WRITES = 3, 4
"""The descriptors on which it is led."""

PATIENCE = 60.0
"""Seconds in which it must have done what it was told."""


class Tab:
    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._ids, self._read, self._session = itertools.count(1), b"", ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def go(self, url: str) -> None:
        """Does not wait for the page: `until` does."""
        self._call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """What an expression is, as JSON has it."""
        told = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, script: str) -> None:
        """Until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < deadline, f"{script}: {self.run('document.body.innerText')}"
            time.sleep(0.02)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        id, session = next(self._ids), {"sessionId": self._session} if self._session else {}
        command = {"id": id, "method": method, "params": parameters, **session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (answer := self._next()).get("id") != id:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            assert select.select([self._answers], [], [], PATIENCE)[0], "the browser does not answer"
            more = os.read(self._answers, 65_536)
            assert more, "the browser has ended"
            self._read += more
        line, _, self._read = self._read.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def browsing(profile: Path) -> Iterator[Tab]:
    """With an empty profile. Ends it with all its processes."""
    assert CHROMIUM is not None
    commanded, commands = os.pipe()
    answers, answering = os.pipe()
    log = str(profile.parent / "chromium.log")
    pid = os.posix_spawn(
        CHROMIUM,
        [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}"],
        os.environ,
        file_actions=[
            *((os.POSIX_SPAWN_OPEN, each, log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600) for each in (1, 2)),
            (os.POSIX_SPAWN_DUP2, commanded, READS),
            (os.POSIX_SPAWN_DUP2, answering, WRITES),
        ],
        setsid=True,
    )
    os.close(commanded)
    os.close(answering)
    try:
        yield Tab(commands, answers)
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(commands)
        os.close(answers)


@contextmanager
def service(settings: Settings, log: Path, **more: str) -> Iterator[str]:
    environment = {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": settings.database_url,
        "AUTHAPI_REDIS_URL": settings.redis_url,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_ARGON2_MEMORY": "8192",
        "AUTHAPI_ARGON2_TIME": "1",
        "AUTHAPI_LIMITS_SCALE": "1000",
        **more,
    }
    with serving(environment, log) as url:
        yield url
