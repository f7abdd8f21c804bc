"""Where a service of this machine can listen, and how it is reached there."""

import errno
import os
import socket
import time
from contextlib import suppress

from authapi.local.binaries import CannotStart

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
"""Addresses one can listen on but not connect to, and what stands for them."""

GRACE = 1.0
"""Seconds a taken port may take to become free: a child of a killed `authapi dev` ends itself that fast."""


def choose(host: str, port: str) -> int:
    """The port, once it is known to be free; 0 stands for any that is. Raises CannotStart."""
    if not port.isdecimal() or int(port) > 65535:
        raise CannotStart(f"AUTHAPI_PORT is {port}, which is no port: set it to a number from 1 to 65535.")
    deadline = time.monotonic() + GRACE
    while True:
        try:
            return _free(host, int(port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CannotStart(
                    f"Nobody can listen on {host}, port {port} ({error.strerror}): "
                    "set AUTHAPI_HOST or AUTHAPI_PORT to something else."
                ) from error
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"Port {port} of {host} is taken by another program: end that one, "
                    f"or take another port, as in `AUTHAPI_PORT={int(port) % 65535 + 1} make run`."
                ) from error
            time.sleep(0.05)


def reachable(host: str) -> str:
    return ANYWHERE.get(host, host)


def url(host: str, port: int) -> str:
    host = reachable(host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _free(host: str, port: int) -> int:
    """Raises OSError if it is not. Connecting finds one that listens on every address, where binding may not tell."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        found = int(probe.getsockname()[1])
    with suppress(ConnectionRefusedError, TimeoutError), socket.create_connection((reachable(host), found), 0.5):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    return found
