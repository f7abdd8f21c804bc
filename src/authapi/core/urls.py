"""URLs that may name several hosts: `urllib` refuses those of which one is an IPv6 address in brackets."""

from typing import NamedTuple


class Parts(NamedTuple):
    scheme: str
    account: str
    """User and password up to the `@`, or nothing."""
    hosts: list[str]
    """Each with its port, if it has one."""
    path: str
    query: str


def split(url: str) -> Parts:
    """`scheme://account@host,host/path?query`; no part is decoded, and none is looked at."""
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    netloc, _, path = rest.partition("/")
    account, at, hosts = netloc.rpartition("@")
    return Parts(scheme, account + at, hosts.split(","), path, query)
