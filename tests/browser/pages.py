"""Pages of an app and of a stranger, each served from a port of its own; their scripts tell the test what happened."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATIENCE = 60
"""Seconds in which a browser must have come to the next report."""

SCRIPTS = Path(__file__).parent


@dataclass
class Host:
    """One origin. `settings` is what its scripts are told; `reports` is what they have said.

    `scripts` are further ones by name, beside those in files.
    """

    port: int
    settings: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    reports: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def report(self) -> dict[str, Any]:
        return self.reports.get(timeout=PATIENCE)


@contextmanager
def hosting() -> Iterator[Host]:
    """Serves `/<name>`, a page that runs `<name>.js`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    host = Host(server.server_port)
    Pages.hosts[host.port] = host
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        del Pages.hosts[host.port]


class Pages(BaseHTTPRequestHandler):
    hosts: dict[int, Host] = {}

    @property
    def host(self) -> Host:
        return self.hosts[self.connection.getsockname()[1]]

    def do_GET(self) -> None:
        name = self.path.strip("/").partition("?")[0]
        path = SCRIPTS / f"{name}.js"
        script = self.host.scripts.get(name) or (path.read_text() if path in SCRIPTS.iterdir() else None)
        if script is None:
            return self._answer(b"", 404)
        told = f"const told = {json.dumps(self.host.settings)};"
        page = f"<!doctype html><title>x</title><body><script>{told}\n{script}</script></body>"
        self._answer(page.encode())

    def do_POST(self) -> None:
        self.host.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(b"")

    def _answer(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """The test tells what is worth telling."""
