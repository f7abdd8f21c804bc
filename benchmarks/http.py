"""A few HTTP calls, with the standard library only: for seeding and for the peers' checks, never for the load."""

import http.client
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

_connections: dict[str, http.client.HTTPConnection] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def cookie(self, name: str) -> str | None:
        """`NAME=value`, as a client sends it back."""
        for key, value in self.headers:
            if key.lower() == "set-cookie" and value.startswith(f"{name}="):
                return value.split(";")[0]
        return None

    def find(self, where: str) -> str | None:
        """`json:NAME`, `cookie:NAME` or `header:NAME`, as in peer.toml."""
        kind, _, name = where.partition(":")
        if kind == "cookie":
            return self.cookie(name)
        if kind == "header":
            return self.header(name)
        found = re.search(rf'"{re.escape(name)}"\s*:\s*"([^"]+)"', self.text)
        return found[1] if found else None


def call(method: str, url: str, headers: Mapping[str, str] | None = None, body: str | None = None) -> Answer:
    """Keeps the connection for the next call. Redirects are not followed."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    for again in (True, False):
        connection = _connections.get(parts.netloc) or http.client.HTTPConnection(parts.netloc, timeout=60)
        _connections[parts.netloc] = connection
        try:
            connection.request(method, path or "/", body.encode() if body is not None else None, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read().decode(errors="replace"))
        except (http.client.HTTPException, ConnectionError):
            connection.close()
            del _connections[parts.netloc]
            if not again:
                raise
    raise AssertionError("unreachable")


def post(url: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    """Sends JSON."""
    return call("POST", url, {"Content-Type": "application/json"} | dict(headers or {}), json.dumps(dict(fields)))


def fact(claim: str, answer: Answer, *statuses: int) -> Answer:
    """Prints the claim when the answer shows it, else ends the check with one sentence."""
    if answer.status not in statuses:
        fail(f"{claim}: expected {statuses}, got {answer.status} {answer.text[:200]}")
    print(f"{claim}: {answer.status}")
    return answer


def fail(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise SystemExit(1)
