"""`authapi`, but with a wall clock that is wrong by what a file says, in seconds: `… skewed FILE serve --port 8000`."""

import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

from authapi import cli
from authapi.core import clock


def main(file: Path) -> None:
    true_time = time.time

    class Skewed(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=offset())

    def offset() -> float:
        return float(file.read_text())

    clock.datetime = Skewed  # type: ignore[attr-defined]
    time.time = lambda: true_time() + offset()
    cli.main()


if __name__ == "__main__":
    main(Path(sys.argv.pop(1)))
