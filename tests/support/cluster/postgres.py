"""Two Postgres servers: one takes writes, the other follows it by streaming replication and may take over.

What is here waits: not to be called on an event loop, but for `fetch`.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import asyncpg

from authapi.local.account import NOBODY, Account, reachable
from authapi.local.binaries import postgres_binaries
from authapi.local.postgres import USER
from tests.support.cluster.hosts import Host
from tests.support.cluster.programs import PATIENCE, POLL, Program, own
from tests.support.processes import free_port

SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": "200",
    "wal_level": "replica",
    "fsync": "off",  # processes are killed here, not machines
    "full_page_writes": "off",
    "timezone": "UTC",
}


class Node(Program):
    """One server. Everybody in the network is trusted, and nobody else can reach it."""

    def __init__(self, host: Host, folder: Path, network: str) -> None:
        self.data = own(folder) / "data"
        self._network = network
        self._stopped: list[int] = []
        port = free_port()
        flags = SETTINGS | {"listen_addresses": host.address}
        argv = [_tool("postgres"), "-D", str(self.data), "-p", str(port)]
        argv += [part for name, value in flags.items() for part in ("-c", f"{name}={value}")]
        super().__init__(host, port, argv, folder.with_suffix(".log"), {"LC_ALL": "C"}, as_nobody=True)
        self.answers = self._accepts

    def create(self) -> None:
        self._do(
            _tool("initdb"), "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
        )
        trusted = "".join(f"host {database} all {self._network} trust\n" for database in ("all", "replication"))
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write(trusted)

    def follow(self, primary: "Node") -> None:
        """As a new copy of another node, whatever this one had. It must not run."""
        shutil.rmtree(self.data, ignore_errors=True)
        source = f"host={primary.host.address} port={primary.port} user={USER}"
        self._do(_tool("pg_basebackup"), "-d", source, "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "-N")

    def promote(self) -> None:
        """Returns when it takes writes."""
        self.ask("SELECT pg_promote()")

    def wait_for_standby(self, *, is_synchronous: bool) -> None:
        """From now on commits are acknowledged when the standby has them, too; or without waiting for it."""
        self.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if is_synchronous else ''}'")
        self.ask("SELECT pg_reload_conf()")
        state = "sync" if is_synchronous else "async"
        deadline = time.monotonic() + PATIENCE
        while self.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = $1", state) != 1:
            assert time.monotonic() < deadline, f"no standby became {state}"
            time.sleep(POLL)

    def stop_sending(self) -> None:
        """The standby hears nothing any more, and lags from now on; until this node is killed."""
        for pid in self.ask("SELECT array_agg(pid) FROM pg_stat_replication"):
            os.kill(pid, signal.SIGSTOP)
            self._stopped.append(pid)

    def ask(self, statement: str, *values: Any, database: str = "postgres") -> Any:
        """One value."""
        return asyncio.run(self.fetch(statement, *values, database=database))

    async def fetch(self, statement: str, *values: Any, database: str = "postgres") -> Any:
        connection = await asyncpg.connect(self.url(database), timeout=5)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            connection.terminate()

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@{self.address}/{database}"

    def end(self, number: signal.Signals = signal.SIGQUIT, *, seconds: float = 5.0) -> None:
        while self._stopped:  # they would stay for ever
            os.kill(self._stopped.pop(), signal.SIGKILL)
        super().end(number, seconds=seconds)

    def _accepts(self) -> bool:
        try:
            return bool(self.ask("SELECT true"))
        except (asyncpg.PostgresError, OSError):
            return False

    def _do(self, *argv: str) -> None:
        done = subprocess.run(
            self.host.command(list(argv), as_nobody=True),
            capture_output=True,
            text=True,
            check=False,
            env={"LC_ALL": "C"},
        )
        assert done.returncode == 0, done.stderr


def _tool(name: str) -> str:
    account = Account(NOBODY, NOBODY) if os.geteuid() == 0 else Account()
    binaries = postgres_binaries()
    install = binaries.parent
    libraries = install.parent.parent / f"{install.parent.name}.libs"
    return str(reachable(binaries / "postgres", [install, libraries], account).with_name(name))
