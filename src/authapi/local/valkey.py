"""A Valkey of one's own for development and tests, without installing one."""

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path

from authapi.local import process
from authapi.local.account import Account, reachable
from authapi.local.binaries import valkey_binary

_SETTINGS = {
    "bind": "127.0.0.1",
    "maxmemory-policy": "noeviction",
    "save": "",
    "set-proc-title": "no",
}
"""The command line must stay as given: it tells whose server a process is."""


@dataclass(frozen=True, slots=True)
class Valkey(process.Server):
    def url(self, db: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{db}"


def start(folder: Path, *, durable: bool = True) -> Valkey:
    """Starts or joins the Valkey of `folder` and returns when it answers. Raises CannotStart.

    For development: no password, so every user of this machine can connect, and nobody else. With `durable` what was
    answered survives the server being killed, and all but the last second a loss of power; without it nothing
    survives a stop. See `account.settle` for who runs it and where the data lie.
    """
    binary = valkey_binary()
    settings = _SETTINGS | {"appendonly": "yes" if durable else "no"}
    flags = [part for name, value in settings.items() for part in (f"--{name}", value)]

    def command(data: Path, port: int, account: Account) -> list[str]:
        return [str(reachable(binary, [binary], account)), "--dir", str(data), "--port", str(port), *flags]

    return process.start(folder, process.Program("Valkey", _prepare, command, _accepts), Valkey, durable=durable)


def _prepare(data: Path, account: Account) -> None:
    data.mkdir(mode=0o700, exist_ok=True)
    account.own(data)


def _accepts(data: Path, pid: int, port: int) -> bool:
    """It has loaded its data, and it is that very process: another server may have won the port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as client:
        client.sendall(b"PING\r\nINFO server\r\nQUIT\r\n")
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer.startswith(b"+PONG") and f"\r\nprocess_id:{pid}\r\n".encode() in answer
    return False
