"""`authapi serve`, but with a clock that the test moves for all processes at once: its offset stands in a file."""

import mmap
import sys
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from authapi import app, serving
from authapi.core import logs
from authapi.core.clock import SystemClock
from authapi.core.context import build
from authapi.core.settings import load

SIZE = 8
MICROSECOND = timedelta(microseconds=1)


class FileClock(SystemClock):
    """The offset in microseconds, in shared memory: a move is seen at once by whoever has the file open."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)

    @property
    def offset(self) -> timedelta:
        return int.from_bytes(self._memory[:SIZE], signed=True) * MICROSECOND

    @offset.setter
    def offset(self, offset: timedelta) -> None:
        self._memory[:SIZE] = (offset // MICROSECOND).to_bytes(SIZE, signed=True)


def main(clock: str, host: str, port: str) -> int:
    def application() -> FastAPI:
        settings = load()
        logs.configure(settings)
        return app.create_app(build(settings, clock=FileClock(Path(clock))))

    app.application = application
    return serving.run(load(), host=host, port=int(port), workers=1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
