"""Several machines on one: network namespaces behind a bridge where root may make them, else addresses of the loopback.

Only a namespace can be unplugged: what it is sent then vanishes, as with a machine that has lost its power.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from authapi.local.account import NOBODY

OUTER = 254
"""The last number of the address of the tests' own side of the bridge."""


@dataclass(frozen=True, slots=True)
class Host:
    """`namespace` is None on the loopback; `cable` is the end of its cable at the bridge."""

    address: str
    namespace: str | None = None
    cable: str | None = None

    def command(self, argv: list[str], *, as_nobody: bool = False) -> list[str]:
        """To run a program there; its pid is that of the command, because each step replaces itself by the next."""
        if as_nobody and os.geteuid() == 0:
            argv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *argv]
        return argv if self.namespace is None else ["ip", "netns", "exec", self.namespace, *argv]

    def unplug(self) -> None:
        """Nobody is told: connections just get no answer any more."""
        _ip("link", "set", self._plug, "down")

    def plug_in(self) -> None:
        _ip("link", "set", self._plug, "up")

    @property
    def _plug(self) -> str:
        assert self.cable is not None, "an address of the loopback cannot be unplugged"
        return self.cable


@dataclass(frozen=True, slots=True)
class Hosts:
    """`network` holds all of them, and the tests."""

    network: str
    each: tuple[Host, ...]

    @property
    def can_be_unplugged(self) -> bool:
        return self.each[0].namespace is not None


@contextmanager
def make_hosts(number: int) -> Iterator[Hosts]:
    name = f"aa{secrets.token_hex(3)}"
    if os.geteuid() != 0 or shutil.which("ip") is None or not _works("netns", "add", name):
        yield Hosts("127.0.0.0/8", tuple(Host(f"127.0.0.{10 + each}") for each in range(number)))
        return
    _ip("netns", "del", name)
    subnet = f"10.{64 + secrets.randbelow(128)}.{secrets.randbelow(256)}"
    hosts = [Host(f"{subnet}.{each}", f"{name}-{each}", f"{name}-{each}") for each in range(1, number + 1)]
    try:
        _ip("link", "add", name, "type", "bridge")
        _ip("addr", "add", f"{subnet}.{OUTER}/24", "dev", name)
        _ip("link", "set", name, "up")
        for host in hosts:
            _connect(host, name)
        yield Hosts(f"{subnet}.0/24", tuple(hosts))
    finally:
        for host in hosts:
            _works("netns", "del", str(host.namespace))
        _works("link", "del", name)


def _connect(host: Host, bridge: str) -> None:
    space = str(host.namespace)
    _ip("netns", "add", space)
    _ip("link", "add", str(host.cable), "type", "veth", "peer", "name", "eth0", "netns", space)
    _ip("link", "set", str(host.cable), "master", bridge, "up")
    _ip("-n", space, "addr", "add", f"{host.address}/24", "dev", "eth0")
    for device in ("eth0", "lo"):
        _ip("-n", space, "link", "set", device, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _works(*arguments: str) -> bool:
    with suppress(subprocess.CalledProcessError):
        _ip(*arguments)
        return True
    return False
