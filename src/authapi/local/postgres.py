"""A Postgres of one's own for development and tests, without installing one."""

import asyncio
import contextlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import asyncpg

from authapi.local import process
from authapi.local.account import Account, reachable
from authapi.local.binaries import CannotStart, postgres_binaries

USER = "authapi"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Never synchronous_commit=off: it loses committed rows when the server is killed.
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}


@dataclass(frozen=True, slots=True)
class Postgres(process.Server):
    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]] = (
        (signal.SIGINT, 10.0),
        (signal.SIGQUIT, 5.0),
        (signal.SIGKILL, 5.0),
    )

    def url(self, database: str = "postgres") -> str:
        """For SQLAlchemy. There is no password: see `start`."""
        return f"postgresql+asyncpg://{USER}@127.0.0.1:{self.port}/{database}"


def start(folder: Path, *, durable: bool = True, options: Mapping[str, str] | None = None) -> Postgres:
    """Starts or joins the Postgres of `folder` and returns when it answers. Raises CannotStart.

    For development: it trusts everybody who can connect to 127.0.0.1, so every user of this machine, and nobody else.
    Without `durable` it survives being killed, but not the machine losing power. A server that is joined keeps the
    settings it was started with. See `account.settle` for who runs it and where the data lie.
    """
    binaries = postgres_binaries()
    settings = _SETTINGS | ({} if durable else _FAST) | dict(options or {})
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def program(name: str, account: Account) -> str:
        install = binaries.parent
        libraries = install.parent.parent / f"{install.parent.name}.libs"
        return str(reachable(binaries / "postgres", [install, libraries], account).with_name(name))

    def command(data: Path, port: int, account: Account) -> list[str]:
        return [program("postgres", account), "-D", str(data), "-p", str(port), *flags]

    def prepare(data: Path, account: Account) -> None:
        for left_over in data.parent.glob("init-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        if not (data / "PG_VERSION").exists():
            _create(data, account, program("initdb", account), durable=durable)
        (data / "postmaster.pid").unlink(missing_ok=True)

    return process.start(folder, process.Program("Postgres", prepare, command, _accepts), Postgres, durable=durable)


def ensure_database(server: Postgres, name: str) -> bool:
    """Creates the database if it is missing, and says whether it did. Not to be called on an event loop."""
    return asyncio.run(_ensure_database(server.port, name))


async def _ensure_database(port: int, name: str) -> bool:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user=USER, password="", database="postgres", ssl=False, timeout=10
    )
    try:
        if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            return False
        quoted = name.replace('"', '""')
        await connection.execute(f'CREATE DATABASE "{quoted}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return False
    finally:
        await connection.close()
    return True


def _create(data: Path, account: Account, initdb: str, *, durable: bool) -> None:
    """Makes the data elsewhere and renames them, so that a start killed midway leaves nothing that looks complete."""
    if data.exists() and any(data.iterdir()):
        raise CannotStart(f"{data} holds something other than a Postgres: name another folder.")
    draft = Path(tempfile.mkdtemp(prefix="init-", dir=data.parent))
    try:
        account.own(draft)
        flags = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"] + ([] if durable else ["--no-sync"])
        made = account.run([initdb, "-D", str(draft), *flags], seconds=120)
        if made.returncode != 0:
            lines = " | ".join(made.stderr.strip().split("\n")[-4:])
            raise CannotStart(f"Postgres could not create its data in {data.parent}, because: {lines}")
        draft.rename(data)
    except subprocess.TimeoutExpired as error:
        raise CannotStart(f"Postgres took too long to create its data in {data.parent}: try another disk.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _accepts(data: Path, pid: int, port: int) -> bool:
    """That very process says it is ready, and a client gets past the greeting.

    Another server may have won the port, so the file comes first. Only SQLSTATE 57P03 means "not yet"; any other
    refusal, such as too many connections, comes from a server that works.
    """
    with contextlib.suppress(OSError):
        lines = (data / "postmaster.pid").read_text().split("\n")
        if len(lines) < 8 or (lines[0], lines[3], lines[7].strip()) != (str(pid), str(port), "ready"):
            return False
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            greeting = struct.pack("!i", 196608) + f"user\0{USER}\0database\0postgres\0\0".encode()
            client.sendall(struct.pack("!i", len(greeting) + 4) + greeting)
            answer = client.recv(4096)
            client.sendall(b"X\0\0\0\4")
            return answer != b"" and b"C57P03\0" not in answer
    return False
