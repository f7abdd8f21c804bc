"""`python -m benchmarks.delay PORT MS`: a TCP proxy to that port which holds every answer back; prints its own port."""

import asyncio
import sys
from contextlib import suppress

import uvloop


async def main(target: int, seconds: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(_forward(reader, other_writer, 0), _forward(other_reader, writer, seconds))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Later, but in order: what comes meanwhile is held back for as long, and not for longer."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(65536):
        if seconds:
            loop.call_later(seconds, writer.write, data)
        else:
            writer.write(data)
    await asyncio.sleep(seconds)
    writer.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
