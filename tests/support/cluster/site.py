"""The whole service on six hosts: three have an instance and a Valkey each, two a Postgres, one what leads to them.

with open_site(folder, keepers=sentinels, is_bounced=True) as site: ...
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx

from authapi import migrations
from authapi.local.postgres import USER
from tests.conftest import SECRET
from tests.support.cluster import postgres
from tests.support.cluster.fronts import HAProxy, PgBouncer
from tests.support.cluster.hosts import Host, Hosts, make_hosts
from tests.support.cluster.programs import Program, await_, run
from tests.support.cluster.valkey import Keepers
from tests.support.processes import free_port

DATABASE = "authapi"
ORIGIN = "http://auth.example.com"
INSTANCES = 3

OpenKeepers: TypeAlias = Callable[[Sequence[Host], Path], AbstractContextManager[Keepers]]


@dataclass
class Site:
    """`primary` and `standby` change places when the standby is promoted: see `fail_over`."""

    hosts: Hosts
    primary: postgres.Node
    standby: postgres.Node
    keepers: Keepers
    instances: Sequence[Program]
    worker: Program
    balancer: HAProxy
    bouncer: PgBouncer | None

    @property
    def url(self) -> str:
        return self.balancer.url

    def fail_over(self) -> None:
        """The standby takes over, whatever has become of the primary."""
        self.primary, self.standby = self.standby, self.primary
        self.primary.promote()
        if self.bouncer is not None:
            self.bouncer.lead_to(self.primary.server)

    def restore(self, *, is_synchronous: bool) -> None:
        """The one that was lost comes back, as the standby of its successor."""
        self.standby.kill()
        self.standby.follow(self.primary)
        self.standby.start()
        self.primary.wait_for_standby(is_synchronous=is_synchronous)

    def listening(self) -> Iterator[tuple[str, str]]:
        """What listens where."""
        yield "the service, behind HAProxy", self.url
        yield from ((f"instance {number}", f"http://{each.address}") for number, each in enumerate(self.instances, 1))
        yield "Postgres", self.primary.url(DATABASE)
        yield "its standby", self.standby.url(DATABASE)
        if self.bouncer is not None:
            yield "PgBouncer", self.bouncer.url(DATABASE)
        yield "Valkey", self.keepers.url


@contextmanager
def open_site(folder: Path, *, keepers: OpenKeepers, is_bounced: bool, is_synchronous: bool = True) -> Iterator[Site]:
    """Through PgBouncer, or with both servers of Postgres in the URL."""
    with ExitStack() as stack:
        hosts = stack.enter_context(make_hosts(INSTANCES + 3))
        *inner, first, second, front = hosts.each
        primary, standby = stack.enter_context(open_pair((first, second), folder, hosts.network))
        primary.wait_for_standby(is_synchronous=is_synchronous)
        kept = stack.enter_context(keepers(inner, folder))
        bouncer = PgBouncer(front, folder / "pgbouncer", primary.server) if is_bounced else None
        if bouncer is not None:
            stack.enter_context(run(bouncer))
        direct = f"postgresql://{USER}@{primary.address},{standby.address}/{DATABASE}"
        settings = environment(direct, kept.url) | {"AUTHAPI_TRUSTED_PROXIES": hosts.network}
        bounced = (
            {"AUTHAPI_DATABASE_URL": bouncer.url(DATABASE), "AUTHAPI_PREPARED_STATEMENTS": "false"} if bouncer else {}
        )
        instances = [Instance(host, folder / f"instance-{host.address}.log", settings | bounced) for host in inner]
        for instance in instances:
            instance.start(is_awaited=False)
            stack.callback(instance.end)
        for instance in instances:
            instance.await_answer()
        worker = Program(inner[-1], 0, [sys.executable, "-m", "authapi", "worker"], folder / "worker.log", settings)
        worker.start(is_awaited=False)
        stack.callback(worker.end)
        balancer = stack.enter_context(run(HAProxy(front, folder / "haproxy", instances)))
        await_(lambda: is_ready(balancer.url), "the balancer leads to an instance")
        yield Site(hosts, primary, standby, kept, instances, worker, balancer, bouncer)


@contextmanager
def open_pair(hosts: tuple[Host, Host], folder: Path, network: str) -> Iterator[tuple[postgres.Node, postgres.Node]]:
    """A primary with the migrated database, and its standby."""
    primary, standby = (postgres.Node(host, folder / f"postgres-{n}", network) for n, host in enumerate(hosts))
    with ExitStack() as stack:
        primary.create()
        stack.enter_context(run(primary))
        primary.ask(f"CREATE DATABASE {DATABASE}")
        migrations.up(primary.url(DATABASE))
        standby.follow(primary)
        stack.enter_context(run(standby))
        yield primary, standby


class Instance(Program):
    def __init__(self, host: Host, log: Path, settings: dict[str, str]) -> None:
        port = free_port()
        argv = [sys.executable, "-m", "authapi", "serve", "--host", host.address, "--port", str(port)]
        super().__init__(host, port, argv, log, settings)
        self.answers = lambda: is_ready(self.url)

    @property
    def url(self) -> str:
        return f"http://{self.address}"


def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {
        "AUTHAPI_ENV": "development",
        "AUTHAPI_DATABASE_URL": database_url,
        "AUTHAPI_REDIS_URL": redis_url,
        "AUTHAPI_SECRET": SECRET,
        "AUTHAPI_PUBLIC_URL": ORIGIN,
        "AUTHAPI_ARGON2_MEMORY": "8192",
        "AUTHAPI_ARGON2_TIME": "1",
        "AUTHAPI_HASH_THREADS": "1",
        "AUTHAPI_LIMITS_SCALE": "1000",
        "AUTHAPI_DATABASE_POOL": "10",
    }


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
