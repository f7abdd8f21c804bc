"""Fixed windows in the memory of this process: a storage for `limits` that stays small and needs no thread."""

import time
from typing import Any

from limits.storage import Storage

REMEMBERED = 65_536


class BoundedMemory(Storage):
    """Fixed windows, all equally long, for at most `REMEMBERED` keys; the oldest give way.

    limits' own MemoryStorage does expire its keys, but in a thread that walks over all of them every 10 ms.
    Here the keys stand in the order in which their windows end.
    """

    STORAGE_SCHEME = ["authapi-memory"]

    def __init__(self, uri: str | None = None, **options: Any) -> None:
        super().__init__(uri, **options)
        self._windows: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.monotonic()
        count, end = self._windows.get(key, (0, 0.0))
        if end <= now:
            self._windows.pop(key, None)
            self._forget(now)
            count, end = 0, now + expiry
        self._windows[key] = count + amount, end
        return count + amount

    def _forget(self, now: float) -> None:
        """Up to two that ended, or one for room: memory shrinks faster than it grows, in constant time."""
        for _ in range(2):
            oldest = next(iter(self._windows), None)
            if oldest is None or (self._windows[oldest][1] > now and len(self._windows) < REMEMBERED):
                return
            del self._windows[oldest]

    def get(self, key: str) -> int:
        count, end = self._windows.get(key, (0, 0.0))
        return count if end > time.monotonic() else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, on the wall clock, as `limits` counts."""
        return time.time() + max(0.0, self._windows.get(key, (0, 0.0))[1] - time.monotonic())

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)
