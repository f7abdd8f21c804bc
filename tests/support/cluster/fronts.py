"""What stands between: HAProxy before the instances, PgBouncer before Postgres."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from tests.support.cluster.hosts import Host
from tests.support.cluster.programs import Program, own
from tests.support.cluster.tls import Authority
from tests.support.processes import free_port

Server: TypeAlias = tuple[str, int]
"""Address and port."""

HAPROXY = """\
global
    maxconn 2000
defaults
    mode http
    timeout connect 1s
    timeout client 75s
    timeout server 10s
    timeout http-keep-alive 60s
    option redispatch
    option idle-close-on-response
    retries 2
    retry-on conn-failure
    option forwardfor
    http-error status 503 content-type application/problem+json string \
'{{"code":"unavailable","action":"retry"}}' hdr Retry-After 1
frontend clients
    bind {address}
    default_backend authapi
backend authapi
    balance roundrobin
    option httpchk GET /health/ready
    default-server check inter 500ms fastinter 100ms fall 2 rise 1 observe layer4 on-error fastinter
{servers}
"""

PGBOUNCER = """\
[databases]
* = host={host} port={port} user=authapi connect_query='\
SET statement_timeout = 1500; SET idle_in_transaction_session_timeout = 10000; SET jit = off'
[pgbouncer]
listen_addr = {address}
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
server_login_retry = 1
query_wait_timeout = 2
server_lifetime = 60
logfile =
"""
WITH_TLS = """\
client_tls_sslmode = require
client_tls_cert_file = {0.certificate}
client_tls_key_file = {0.key}
"""


class HAProxy(Program):
    """`reload` starts a new process, and the old one ends with its last request."""

    def __init__(self, host: Host, folder: Path, servers: Sequence[Program]) -> None:
        own(folder)
        port = free_port()
        lines = "\n".join(f"    server s{number} {server.address}" for number, server in enumerate(servers))
        file = folder / "haproxy.cfg"
        file.write_text(HAPROXY.format(address=f"{host.address}:{port}", servers=lines))
        file.chmod(0o644)
        argv = ["haproxy", "-W", "-db", "-f", str(file)]
        super().__init__(host, port, argv, folder.with_suffix(".log"), as_nobody=True)

    def reload(self) -> None:
        self.send(signal.SIGUSR2)

    @property
    def url(self) -> str:
        return f"http://{self.address}"


class PgBouncer(Program):
    """In transaction mode. It knows one server, and is told when that is another. With `ends` it demands TLS."""

    def __init__(
        self, host: Host, folder: Path, server: Server, *, size: int = 20, ends: Authority | None = None
    ) -> None:
        own(folder)
        self._file, self._size, self._ends = folder / "pgbouncer.ini", size, ends
        super().__init__(host, free_port(), ["pgbouncer", str(self._file)], folder.with_suffix(".log"), as_nobody=True)
        self._write(server)

    def lead_to(self, server: Server) -> None:
        self._write(server)
        self.send(signal.SIGHUP)

    def url(self, database: str) -> str:
        return f"postgresql://authapi@{self.address}/{database}"

    def _write(self, server: Server) -> None:
        settings = {"host": server[0], "port": server[1], "size": self._size}
        text = PGBOUNCER.format(address=self.host.address, own_port=self.port, **settings)
        self._file.write_text(text + (WITH_TLS.format(self._ends) if self._ends is not None else ""))
        self._file.chmod(0o644)
