"""Who is asking, where proxies stand in between."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from authapi.core.settings import Network

LONGEST = 64
REMEMBERED = 4096
HOUSEHOLD = 64
"""An IPv6 customer holds at least this many bits of prefix (RFC 6177), so its addresses count as one."""


@lru_cache(REMEMBERED)
def canonical(text: str) -> str | None:
    """An address in its one spelling, without port, zone or IPv4-mapping; None for anything else."""
    if len(text) > LONGEST:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)


@lru_cache(REMEMBERED)
def household(address: str) -> str:
    """What counts as one asker: an IPv4 address as it is, an IPv6 address by its /64."""
    parsed = ip_address(canonical(address) or "::")
    return str(IPv6Network((parsed, HOUSEHOLD), strict=False)) if isinstance(parsed, IPv6Address) else str(parsed)


def trust(networks: tuple[Network, ...]) -> Callable[[str | None], bool]:
    """Whether an address, in its canonical spelling, belongs to one of the networks."""

    @lru_cache(REMEMBERED)
    def is_trusted(address: str | None) -> bool:
        return address is not None and any(ip_address(address) in network for network in networks)

    return is_trusted if networks else lambda _: False


class ClientAddress:
    """Makes `scope["client"]` the address that asks, in canonical spelling, and `scope["scheme"]` the one it used.

    Where the peer is a trusted proxy, that is the right-most address of X-Forwarded-For that no trusted proxy holds:
    what stands further left, the client may have written. uvicorn's own middleware does the same but would take
    garbage for an address; here it ends the search at the proxy that passed it on.
    """

    def __init__(self, app: ASGIApp, *, trusted: tuple[Network, ...]) -> None:
        self._app = app
        self._is_trusted = trust(trusted)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        peer = scope.get("client")
        if peer is not None:
            address = canonical(peer[0])
            if self._is_trusted(address) and address is not None:
                scope["scheme"] = _scheme(scope["headers"]) or scope.get("scheme", "http")
                scope["client"] = (self._resolve(address, scope["headers"]), 0)
            elif address is not None and address != peer[0]:
                scope["client"] = (address, peer[1])
        return self._app(scope, receive, send)

    def _resolve(self, address: str, headers: list[tuple[bytes, bytes]]) -> str:
        forwarded = b",".join([value for name, value in headers if name == b"x-forwarded-for"])
        for hop in reversed(forwarded.decode("latin-1").split(",")):
            claimed = canonical(hop.strip())
            if claimed is None:
                break
            address = claimed
            if not self._is_trusted(address):
                break
        return address


def _scheme(headers: list[tuple[bytes, bytes]]) -> str | None:
    """As the nearest proxy saw it: the last value of the last header."""
    for name, value in reversed(headers):
        if name == b"x-forwarded-proto":
            scheme = value.rpartition(b",")[2].strip().lower()
            return scheme.decode() if scheme in (b"http", b"https") else None
    return None
