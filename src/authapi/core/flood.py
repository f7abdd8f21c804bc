"""A generous limit for every address, counted in memory without I/O: slowapi's limiter in front of everything.

slowapi's own middlewares look for the endpoint in `app.routes` and let pass what they cannot find, which since
FastAPI 0.137 is every included route. This one stands before routing and needs no endpoint.
"""

import os
import time
import warnings
from collections.abc import Awaitable
from math import ceil
from typing import Any

from limits import RateLimitItem, parse
from slowapi import Limiter
from starlette.types import ASGIApp, Receive, Scope, Send

from authapi.core import metrics
from authapi.core.limits import Limit, TooManyRequests
from authapi.core.proxies import household
from authapi.core.settings import Settings

ADDRESS = Limit("flood.address", "3000/minute", here=True)


class AddressLimiter(Limiter):
    """slowapi's limiter with one rate for the whole app, deaf to `.env` and to RATELIMIT_* in the environment."""

    def __init__(self, rate: RateLimitItem) -> None:
        self.rate = rate
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a named file that is none keeps it from `.env`, and it warns about that
            super().__init__(
                key_func=lambda request: household(request.client.host),
                application_limits=[str(rate)],
                strategy="fixed-window",
                storage_uri="authapi-memory://",
                config_filename=os.devnull,
            )

    def get_app_config(self, key: str, default_value: Any = None) -> Any:
        return default_value


class FloodGuard:
    """Raises TooManyRequests for an address that asks too often. Probes and scrapes are not counted."""

    def __init__(self, app: ASGIApp, *, limiter: AddressLimiter) -> None:
        self._app = app
        self._strategy = limiter.limiter
        self._rate = limiter.rate

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and not is_exempt(scope["path"]):
            client = scope.get("client")
            address = household(client[0]) if client else "none"
            if not self._strategy.hit(self._rate, address):
                self._refuse(address)
        return self._app(scope, receive, send)

    def _refuse(self, address: str) -> None:
        metrics.LIMITED.labels(ADDRESS.name).inc()
        wait = max(1, ceil(self._strategy.get_window_stats(self._rate, address)[0] - time.time()))
        policy = f'"{ADDRESS.name}";q={self._rate.amount};w={self._rate.get_expiry()}'
        headers = {"RateLimit-Policy": policy, "RateLimit": f'"{ADDRESS.name}";r=0;t={wait}'}
        raise TooManyRequests(retry_after=wait, headers=headers)


def is_exempt(path: str) -> bool:
    return path == "/metrics" or path.startswith("/health/")


def limiter(settings: Settings) -> AddressLimiter:
    rate = parse(settings.limits.get(ADDRESS.name, ADDRESS.rate))
    return AddressLimiter(type(rate)(max(1, int(rate.amount * settings.limits_scale)), rate.multiples))
