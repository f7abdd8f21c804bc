"""Where this process goes while it is watched, as the interpreter itself tells (`sys.addaudithook`)."""

import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

GOING = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")
REACHING = ("urllib.Request", "subprocess.Popen", "os.system")

_watchers: list[set[str]] = []
_is_hooked: list[bool] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _watchers and (event in GOING or event in REACHING):
        place = arguments[1] if event.startswith("socket.") and len(arguments) > 1 else arguments
        if event == "socket.getaddrinfo":
            place = arguments[:2]
        for watcher in _watchers:
            watcher.add(f"{event} {_shown(place)}")


def _shown(place: Any) -> str:
    return ":".join(str(part) for part in place[:2]) if isinstance(place, tuple) else str(place)


@contextmanager
def watched(*ours: str) -> Iterator[set[str]]:
    """Collects where the process went, but for the servers behind these URLs."""
    if not _is_hooked:  # there is no way to take one away again
        sys.addaudithook(_hear)
        _is_hooked.append(True)
    found: set[str] = set()
    _watchers.append(found)
    try:
        yield found
    finally:
        _watchers.remove(found)
        found -= _reached(ours)


def _reached(urls: Collection[str]) -> set[str]:
    servers = {f"{urlsplit(url).hostname}:{urlsplit(url).port}" for url in urls}
    return {f"{event} {server}" for event in GOING for server in servers}


class Trap:
    """Listens, and never accepts before it is asked who has come: whoever connects waits in the queue."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/keys.json"

    def visitors(self) -> int:
        count = 0
        while True:
            try:
                self._listener.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._listener.close()
