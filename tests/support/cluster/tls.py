"""TLS on every way: HAProxy ends it for browsers and for Valkey, PgBouncer for Postgres."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster.hosts import Host
from tests.support.cluster.programs import Program, own
from tests.support.processes import free_port
from tests.support.smtp import make_certificate

HAPROXY = """\
global
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend clients
    mode {mode}
    bind {address} ssl crt {certificate}
    default_backend servers
backend servers
    mode {mode}
    {options}
    server one {server}
"""
FOR_BROWSERS = """option forwardfor
    http-request set-header X-Forwarded-Proto https"""


@dataclass(frozen=True)
class Authority:
    """A certificate for 127.0.0.1 that vouches for itself. `both` is the certificate and its key in one file."""

    certificate: Path
    key: Path
    both: Path


def authority(folder: Path) -> Authority:
    own(folder).chmod(0o755)
    certificate, key = make_certificate(folder)
    both = folder / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    for file in (certificate, key, both):
        file.chmod(0o644)  # for programs that run as nobody; it is good for a day, and for nothing but these tests
    return Authority(certificate, key, both)


def front(folder: Path, server: str, ends: Authority, *, port: int | None = None, is_web: bool = False) -> Program:
    """An HAProxy before `server`, as `host:port`."""
    host, port = Host("127.0.0.1"), port or free_port()
    file = own(folder) / "haproxy.cfg"
    mode, options = ("http", FOR_BROWSERS) if is_web else ("tcp", "")
    address = f"{host.address}:{port}"
    file.write_text(HAPROXY.format(mode=mode, options=options, address=address, certificate=ends.both, server=server))
    file.chmod(0o644)
    return Program(host, port, ["haproxy", "-db", "-f", str(file)], folder.with_suffix(".log"), as_nobody=True)
