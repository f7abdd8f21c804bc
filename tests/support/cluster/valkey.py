"""Valkey servers that take over from each other: by sentinels, or as a cluster."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from authapi.core.redis import LIFE
from authapi.local.account import NOBODY, Account, reachable
from authapi.local.binaries import valkey_binary
from tests.support.cluster.hosts import Host
from tests.support.cluster.programs import Program, await_, own, run
from tests.support.processes import free_port

SERVICE = "authapi"
NOTICED_AFTER = 1000
"""Milliseconds of silence after which a server counts as gone."""

SLOTS = 16_384


class Node(Program):
    """A server, a sentinel or a node of a cluster, by its settings."""

    def __init__(self, host: Host, folder: Path, settings: dict[str, str], *, is_sentinel: bool = False) -> None:
        own(folder)
        port = free_port()
        lines = {"bind": host.address, "port": str(port), "protected-mode": "no", "dir": str(folder)} | settings
        if not is_sentinel:
            lines |= {"save": '""', "appendonly": "no", "maxmemory-policy": "noeviction"}
        file = folder / "valkey.conf"
        file.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        file.chmod(0o666)  # a sentinel writes to it what it has learnt
        argv = [_server(), str(file), *(["--sentinel"] if is_sentinel else [])]
        super().__init__(host, port, argv, folder.with_suffix(".log"), as_nobody=True)
        self.answers = lambda: self.tells("PING") is not None

    def tells(self, *command: str) -> Any:
        """The answer, or None."""
        with suppress(RedisError, OSError), self.client() as client:
            return client.execute_command(*command)
        return None

    def client(self) -> Redis:
        return Redis(host=self.host.address, port=self.port, socket_timeout=2, socket_connect_timeout=2)

    @property
    def is_master(self) -> bool:
        role = self.tells("ROLE")
        return bool(role) and bytes(role[0]) == b"master"


@dataclass
class Keepers:
    """All that keeps the copy of what has ended. `url` is what the service gets as AUTHAPI_REDIS_URL."""

    url: str
    nodes: Sequence[Node]
    holds: Callable[[Node], bool]

    def master(self) -> Node:
        """The one that has our keys and takes writes."""
        return next(node for node in self.nodes if node.is_running and self.holds(node))

    def await_successor(self, gone: Node) -> Node:
        await_(
            lambda: any(self.holds(node) for node in self.nodes if node is not gone and node.is_running), "a failover"
        )
        return next(node for node in self.nodes if node is not gone and node.is_running and self.holds(node))

    def await_replica(self, node: Node) -> None:
        """One that came back follows its successor."""
        await_(lambda: _follows(node), "the one that came back follows")


@contextmanager
def sentinels(hosts: Sequence[Host], folder: Path) -> Iterator[Keepers]:
    """On each host a server and a sentinel; two sentinels of three suffice to agree."""
    with ExitStack() as stack:
        nodes: list[Node] = []
        for number, host in enumerate(hosts):
            settings = {"replicaof": f"{nodes[0].host.address} {nodes[0].port}"} if nodes else {}
            nodes.append(stack.enter_context(run(Node(host, folder / f"valkey-{number}", settings))))
        await_(lambda: len(nodes[0].tells("ROLE")[2]) == len(hosts) - 1, "the replicas are in step")
        watchers = []
        for number, host in enumerate(hosts):
            settings = {
                f"sentinel monitor {SERVICE}": f"{nodes[0].host.address} {nodes[0].port} 2",
                f"sentinel down-after-milliseconds {SERVICE}": str(NOTICED_AFTER),
                f"sentinel failover-timeout {SERVICE}": "1000",
            }
            node = Node(host, folder / f"sentinel-{number}", settings, is_sentinel=True)
            watchers.append(stack.enter_context(run(node)))
        await_(
            lambda: all(_sees(watcher, others=2, replicas=2) for watcher in watchers), "the sentinels see each other"
        )
        where = ",".join(watcher.address for watcher in watchers)
        yield Keepers(f"redis+sentinel://{where}/{SERVICE}", nodes, lambda node: node.is_master)


@contextmanager
def cluster(hosts: Sequence[Host], folder: Path) -> Iterator[Keepers]:
    """On each host a master, and a replica of the one of the next host."""
    settings = {
        "cluster-enabled": "yes",
        "cluster-node-timeout": str(NOTICED_AFTER),
        "cluster-replica-validity-factor": "0",
    }
    with ExitStack() as stack:
        nodes: list[Node] = []
        for number in range(2 * len(hosts)):
            node = Node(hosts[number % len(hosts)], folder / f"valkey-{number}", settings)
            nodes.append(stack.enter_context(run(node)))
        masters, share = nodes[: len(hosts)], SLOTS // len(hosts) + 1
        for number, node in enumerate(masters):
            node.tells("CLUSTER", "ADDSLOTSRANGE", str(number * share), str(min((number + 1) * share, SLOTS) - 1))
        for node in nodes[1:]:
            node.tells("CLUSTER", "MEET", nodes[0].host.address, str(nodes[0].port))
        await_(lambda: all(_is_whole(node, len(nodes)) for node in nodes), "the nodes know each other")
        for number, node in enumerate(nodes[len(hosts) :]):
            master = masters[(number + 1) % len(hosts)]
            name = bytes(master.tells("CLUSTER", "MYID")).decode()
            await_(lambda node=node, name=name: node.tells("CLUSTER", "REPLICATE", name) in (b"OK", True), "a replica")  # type: ignore[misc]
        await_(lambda: all(_follows(node) for node in nodes[len(hosts) :]), "the replicas are in step")
        where = ",".join(node.address for node in nodes)
        yield Keepers(f"redis+cluster://{where}", nodes, _holds)


def freeze(node: Node) -> None:
    node.send(signal.SIGSTOP)


def thaw(node: Node) -> None:
    node.send(signal.SIGCONT)


def _holds(node: Node) -> bool:
    """A master answers for keys of its own slots only."""
    with suppress(RedisError, OSError), node.client() as client:
        client.get(LIFE)
        return node.is_master
    return False


def _follows(node: Node) -> bool:
    role = node.tells("ROLE")
    return bool(role) and bytes(role[0]) == b"slave" and bytes(role[3]) == b"connected"


def _sees(watcher: Node, *, others: int, replicas: int) -> bool:
    info = watcher.tells("INFO", "sentinel") or {}
    state = info.get("master0", {})
    return (state.get("sentinels"), state.get("slaves")) == (others + 1, replicas)


def _is_whole(node: Node, number: int) -> bool:
    told = bytes(node.tells("CLUSTER", "INFO") or b"").splitlines()
    return b"cluster_state:ok" in told and f"cluster_known_nodes:{number}".encode() in told


def _server() -> str:
    binary = valkey_binary()
    account = Account(NOBODY, NOBODY) if os.geteuid() == 0 else Account()
    return str(reachable(binary, [binary], account))
