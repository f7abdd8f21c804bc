"""A TCP proxy on the loopback that fails as networks do: it cuts, stalls, slows down, refuses, and loses answers.

It works on the event loop it is opened on, so nothing that goes through it may block that loop.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tests.support.processes import free_port

HOST = "127.0.0.1"
CHUNK = 65536
LENGTH = 4
PROTOCOL_3 = 196608
"""The code of a startup message (Postgres protocol 3.0); other codes ask for TLS or cancel, and an answer follows."""


class Proxy:
    """`target` tells the port of the server, anew for each connection: it may have been restarted elsewhere."""

    def __init__(self, target: Callable[[], int]) -> None:
        self._target, self.port = target, free_port()
        self._server: asyncio.Server | None = None
        self._wires: set[Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.flows = asyncio.Event()
        self.flows.set()
        self.delay = 0.0
        """Seconds that each chunk takes longer, in both directions."""

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)

    def cut(self) -> int:
        """Ends every connection on the spot, with a reset; returns how many. New ones are fine."""
        wires = list(self._wires)
        for wire in wires:
            wire.cut()
        return len(wires)

    def stall(self) -> None:
        """Accepts and keeps open, but passes nothing on until `heal`."""
        self.flows.clear()

    async def refuse(self) -> None:
        """Nobody listens until `heal`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    async def heal(self) -> None:
        self.delay = 0.0
        self.flows.set()
        if self._server is None:
            await self.listen()

    async def close(self) -> None:
        await self.refuse()
        self.flows.set()
        await asyncio.gather(*self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target())
        except OSError:
            writer.transport.abort()
            return
        wire = self._wire(writer, far_writer)
        self._wires.add(wire)
        for pump in (
            self._pump(wire, reader, far_writer, wire.forth),
            self._pump(wire, far_reader, writer, wire.back),
        ):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _wire(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> "Wire":
        return Wire(near, far)

    async def _pump(
        self,
        wire: "Wire",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passes: Callable[[bytes], bytes],
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self.flows.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                if out := passes(data):
                    writer.write(out)
                    await writer.drain()
        wire.cut()
        self._wires.discard(wire)


class Wire:
    """One connection through the proxy: `near` leads to the client, `far` to the server."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._near, self._far = near, far

    def cut(self) -> None:
        self._near.transport.abort()
        self._far.transport.abort()

    def forth(self, data: bytes) -> bytes:
        return data

    def back(self, data: bytes) -> bytes:
        return data


class PostgresProxy(Proxy):
    """Knows enough of the protocol to lose the answer to a statement exactly when the server has committed it."""

    def __init__(self, target: Callable[[], int]) -> None:
        super().__init__(target)
        self.doomed = b""
        self.left = 0
        """How many answers are still to be lost."""
        self.lost = 0

    def lose_answers(self, statement: bytes, times: int) -> None:
        """To statements that contain these words and change something; the connection is cut then, too.

        A statement of a transaction is not committed by itself: there the answer to `COMMIT` must be lost.
        """
        self.doomed, self.left = statement, times

    def _wire(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> "Wire":
        return PostgresWire(near, far, self)


class PostgresWire(Wire):
    """Reads the messages of both sides ("Frontend/Backend Protocol" in the manual of Postgres)."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter, proxy: PostgresProxy) -> None:
        super().__init__(near, far)
        self._proxy = proxy
        self._sent = self._held = b""
        self._has_begun = False
        self._statements: dict[bytes, bytes] = {}
        """What was prepared, by name."""
        self._is_awaited = False
        """The answer that comes now is to be lost."""

    def forth(self, data: bytes) -> bytes:
        self._sent += data
        while (taken := _take(self._sent, 1 if self._has_begun else 0)) is not None:
            kind, content, self._sent = taken
            if not self._has_begun:
                self._has_begun = int.from_bytes(content[:LENGTH]) == PROTOCOL_3
            elif self._runs(kind, content) and self._proxy.left:
                self._proxy.left -= 1
                self._is_awaited = True
        return data

    def _runs(self, kind: bytes, content: bytes) -> bool:
        """Whether the message runs a statement that is doomed."""
        first, _, rest = content.partition(b"\0")
        if kind == b"P":  # parse: name, statement
            self._statements[first] = rest.partition(b"\0")[0]
        statement = {b"Q": first, b"B": self._statements.get(rest.partition(b"\0")[0], b"")}.get(kind, b"")
        return bool(self._proxy.doomed) and self._proxy.doomed in statement

    def back(self, data: bytes) -> bytes:
        if not self._is_awaited:
            return data
        self._held += data
        rest, has_changed, is_ready = self._held, False, False
        while (taken := _take(rest, 1)) is not None:
            kind, content, rest = taken
            has_changed |= kind == b"D" or (kind == b"C" and not content.endswith(b" 0\0"))  # a row, or a tag
            is_ready |= kind == b"Z"  # and so committed
        if not is_ready:
            return b""
        held, self._held, self._is_awaited = self._held, b"", False
        if not has_changed:
            self._proxy.left += 1
            return held
        self._proxy.lost += 1
        self.cut()
        return b""


def _take(data: bytes, kind: int) -> tuple[bytes, bytes, bytes] | None:
    """Kind, content and what follows, once all of a message is there; the first ones have a `kind` of no bytes."""
    size = int.from_bytes(data[kind : kind + LENGTH])
    if len(data) < kind + LENGTH or len(data) < kind + size:
        return None
    return data[:kind], data[kind + LENGTH : kind + size], data[kind + size :]
