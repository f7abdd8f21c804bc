"""A real process, and what is sent to it byte by byte over connections of our own."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from authapi.core.settings import Settings
from tests.conftest import SECRET
from tests.support.processes import serving

PATIENCE = 60.0
"""Seconds for an answer that must come."""


class Answer(NamedTuple):
    """`status` is 0 where the connection was closed instead, or nothing came."""

    status: int
    body: bytes

    @property
    def is_refusal(self) -> bool:
        return self.status == 0 or (400 <= self.status < 500 and self.problem.get("status") == self.status)

    @property
    def problem(self) -> dict[str, Any]:
        with suppress(ValueError):
            value = json.loads(self.body)
            return value if isinstance(value, dict) else {}
        return {}


class Service(NamedTuple):
    url: str
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def faults(self) -> list[str]:
        """What it would have written or counted if something had gone wrong inside; and whether it still answers."""
        lines = [line[:300] for line in self.log.read_text(errors="replace").splitlines()]
        found = [line for line in lines if "Traceback" in line or '"error"' in line or '"critical"' in line]
        reply = httpx.get(f"{self.url}/metrics")
        counted = [line for line in reply.text.splitlines() if not line.startswith("#") and 'status="5' in line]
        return [*found, *(line for line in counted if not line.endswith(" 0.0"))]


@contextmanager
def real_service(settings: Settings, folder: Path) -> Iterator[Service]:
    environment = {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": settings.database_url,
        "AUTHAPI_REDIS_URL": settings.redis_url,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_ARGON2_MEMORY": "8192",
        "AUTHAPI_ARGON2_TIME": "1",
        "AUTHAPI_LIMITS_SCALE": "10000",
        "AUTHAPI_LOG_LEVEL": "warning",
    }
    with serving(environment, folder / "service.log") as url:
        yield Service(url, folder / "service.log")


def exchange(service: Service, data: bytes, *, patience: float = PATIENCE) -> list[Answer]:
    """All that comes back on one connection, until it is closed, or is idle after an answer, or patience is over."""
    with socket.create_connection(service.address, timeout=PATIENCE) as wire:
        with suppress(OSError):  # refused before all of it was sent
            wire.sendall(data)
        received, answers = b"", list[Answer]()
        wire.settimeout(patience)
        with suppress(OSError):
            while part := wire.recv(65_536):
                received += part
                answers, received = _answers(answers, received)
                if answers and not received:
                    wire.settimeout(0.05)
    return answers


def _answers(found: list[Answer], received: bytes) -> tuple[list[Answer], bytes]:
    while b"\r\n\r\n" in received:
        head, _, rest = received.partition(b"\r\n\r\n")
        names = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(names.get(b"content-length", b"0"))
        if len(rest) < length:
            break
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            found = [*found, Answer(status, rest[:length])]
        received = rest[length:]
    return found, received


def post(path: str, body: bytes, content_type: bytes | None = b"application/json") -> bytes:
    kind = b"" if content_type is None else b"Content-Type: " + content_type + b"\r\n"
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n%b" % (path.encode(), kind, len(body), body)
