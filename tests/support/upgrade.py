"""The service as it was before its newest migrations, and people who go on using it while it is replaced."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from authapi import migrations
from tests.support.people import PASSWORD, PREFIX, bearer

ROOT = migrations.folder().parent
VERSIONS = "migrations/versions"


def earlier(most: int = 20) -> list[str]:
    """Revisions of the repository that had fewer migrations than today's code, the newest first; none without git."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return []
    log = subprocess.run(
        ["git", "log", f"--max-count={most}", "--format=%P", "--", VERSIONS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return [parents.split()[0] for parents in log.stdout.splitlines() if parents]


def code_of(revision: str, folder: Path) -> Path | None:
    """Its `src` beside its migrations; None where it has none of them, or the history ends before it."""
    archive = subprocess.run(
        ["git", "archive", revision, "src", "migrations"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode != 0:
        return None
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "src"


def command(code: Path | None, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """`authapi …` of that code, or of today's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTHAPI_")}
    elsewhere = {"PYTHONPATH": str(code)} if code else {}
    return subprocess.Popen(
        [sys.executable, "-m", "authapi", *arguments],
        env=inherited | environment | elsewhere,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@dataclass
class Crowd:
    """People who sign up, and go on refreshing, asking, logging out and in, each call at another of the instances that
    are `up`. Whatever is no success is a fault: nobody tries twice."""

    client: httpx.AsyncClient
    up: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    calls: int = 0

    @contextmanager
    def busy(self, people: int) -> Iterator[None]:
        """They are gone at the end of the block, when what they had asked is answered."""
        self._goes_on = True
        self._tasks = [asyncio.create_task(self._live(f"{number}@example.com")) for number in range(people)]
        try:
            yield
        finally:
            self._goes_on = False

    async def gone(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def more(self, calls: int) -> None:
        """Waits until so many more have been answered."""
        until = self.calls + calls
        while self.calls < until and not self.faults:  # noqa: ASYNC110  (counted in many places)
            await asyncio.sleep(0.01)

    async def once(self, email: str) -> None:
        """All that people do, once."""
        body = {"email": email, "password": PASSWORD}
        tokens = await self._post("/signup", 201, body)
        for _ in range(2):
            for _ in range(3):
                tokens = await self._post("/refresh", 200, {"refresh_token": tokens["refresh_token"]})
                await self._call("GET", "/session", 200, headers=bearer(tokens["access_token"]))
            await self._call("GET", "/sessions", 200, headers=bearer(tokens["access_token"]))
            await self._post("/logout", 204, {"refresh_token": tokens["refresh_token"]})
            tokens = await self._post("/login", 200, body)

    async def _live(self, email: str) -> None:
        times = 0
        while self._goes_on and not self.faults:
            times += 1
            await self.once(f"{times}-{email}")

    async def _post(self, path: str, status: int, body: dict[str, str]) -> dict[str, str]:
        reply = await self._call("POST", path, status, json=body)
        return dict(reply.json()) if reply.content else {}

    async def _call(self, method: str, path: str, status: int, **more: object) -> httpx.Response:
        at = self.up[self.calls % len(self.up)]
        self.calls += 1
        try:
            reply = await self.client.request(method, f"{at}{PREFIX}{path}", **more)  # type: ignore[arg-type]
        except httpx.TransportError as error:
            self.faults.append(f"{path} at {at}: {error!r}")
            raise
        self.answers[f"{path} {reply.status_code}"] += 1
        if reply.status_code != status:
            self.faults.append(f"{path} at {at}: {reply.status_code} {reply.text}")
            reply.raise_for_status()
        return reply
