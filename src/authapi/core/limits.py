"""Rate limits by name and key, counted in Redis without blocking the event loop, or here while Redis is away."""

import math
import time
from collections.abc import Awaitable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from limits import RateLimitItem, parse
from limits.aio.storage.redis.bridge import RedisBridge
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authapi.core import metrics
from authapi.core.counting import BoundedMemory
from authapi.core.problems import Problem
from authapi.core.redis import NAMESPACE, GuardedRedis, RedisDown
from authapi.core.secrets import digest
from authapi.core.settings import Misconfigured, Settings

HITS = f"""
local function hit(KEYS, ARGV)
{RedisBridge.SCRIPT_ACQUIRE_SLIDING_WINDOW.decode()}
end
local function window(KEYS, ARGV)
{RedisBridge.SCRIPT_SLIDING_WINDOW.decode()}
end
local told, refused = {{}}, nil
for i = 1, #KEYS / 2 do
    local request, amount, expiry = unpack(ARGV, 3 * i - 2, 3 * i)
    if request ~= refused then
        local keys = {{KEYS[2 * i - 1], KEYS[2 * i]}}
        local allowed = hit(keys, {{amount, expiry, 1}})
        local before, before_ttl, now, now_ttl = unpack(window(keys, {{expiry}}))
        told[#told + 1] = {{request, allowed and 1 or 0, before or 0, before_ttl, now or 0, now_ttl}}
        if not allowed then refused = request end
    end
end
return told
"""
"""The sliding windows of several requests in one trip, for each up to one that is used up: the scripts of `limits`
themselves, put together. The keys of a window are those of the period before and of this one."""

TIGHTER = 2
"""While Redis is away each process counts alone, so it lets through this many times fewer."""


class TooManyRequests(Problem):
    code = "too_many_requests"
    status = 429
    title = "Too many requests. Wait, then try again."
    action = "wait"
    example: ClassVar = {"retry_after": 30}


@dataclass(frozen=True, slots=True)
class Limit:
    """`rate` as in "5/15 minutes". `quiet` ones are not told in headers before they bite, because their key is not the
    asker's own or because they are far away; that also saves asking how much is left. `here`: each process counts for
    itself, without a round trip."""

    name: str
    rate: str
    quiet: bool = False
    here: bool = False
    all: ClassVar[dict[str, "Limit"]] = {}

    def __post_init__(self) -> None:
        if self.name in Limit.all:
            raise ValueError(f"two limits are named {self.name}")
        Limit.all[self.name] = self


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a limit is left, and in how many seconds some of it comes back."""

    name: str
    amount: int
    window: int
    remaining: int
    reset: int


Hits: TypeAlias = tuple[tuple[Limit, str], ...]
"""Of one request: limits and keys."""

Outcome: TypeAlias = tuple[bool, Standing | None]
"""Whether it is allowed; what is left of the limit, where that is to be told."""

_standings: ContextVar[list[Standing] | None] = ContextVar("standings", default=None)


class RateLimiter:
    def __init__(self, settings: Settings, redis: GuardedRedis) -> None:
        self._redis = redis
        self._scale = settings.limits_scale
        self._rates = settings.limits
        self._items: dict[tuple[str, int], RateLimitItem] = {}
        self._script = redis.client.register_script(HITS)
        self._hits = redis.shared(self._in_redis)
        self._windows: dict[str, BoundedMemory] = {}

    def check(self) -> None:
        """Raises Misconfigured where a setting names no limit or is no rate."""
        for name, rate in self._rates.items():
            if name not in Limit.all:
                raise Misconfigured(
                    f"AUTHAPI_LIMITS: there is no limit named {name}; there are {', '.join(sorted(Limit.all))}"
                )
            try:
                parse(rate)
            except ValueError:
                raise Misconfigured(f"AUTHAPI_LIMITS: {name} must read like 5/15 minutes") from None

    async def hit(self, *hits: tuple[Limit, str]) -> None:
        """Counts one request against each limit and key in turn, up to one that is used up: TooManyRequests.

        None of them is one of those for `hit_here`.
        """
        try:
            outcomes = await self._hits(hits)
        except RedisDown:
            for limit, key in hits:
                self._tell(limit, *self._local(limit, key, TIGHTER))
            return
        for (limit, _), outcome in zip(hits, outcomes, strict=False):  # it ends with the first that is used up
            self._tell(limit, *outcome)

    def hit_here(self, limit: Limit, key: str) -> None:
        """The same for one of which each process counts for itself: no round trip."""
        self._tell(limit, *self._local(limit, key))

    def _tell(self, limit: Limit, allowed: bool, standing: Standing | None) -> None:
        if standing is not None and (told := _standings.get()) is not None:
            told.append(standing)
        if not allowed:
            metrics.LIMITED.labels(limit.name).inc()
            raise TooManyRequests(retry_after=standing.reset if standing else None)

    async def _in_redis(self, requests: Sequence[Hits]) -> list[list[Outcome]]:
        keys: list[str] = []
        rates: list[int] = []
        for number, hits in enumerate(requests):
            for limit, key in hits:
                item = self._item(limit)
                name = f"{NAMESPACE}:limit:{limit.name}:{item.get_expiry()}:{digest(key.encode()).hex()[:32]}"
                keys += (f"{name}:before", f"{name}:now")
                rates += (number, item.amount, item.get_expiry())
        outcomes: list[list[Outcome]] = [[] for _ in requests]
        for number, *told in await self._redis.ask(lambda _: self._script(keys, rates)):
            known = outcomes[int(number)]
            limit, _ = requests[int(number)][len(known)]
            known.append(self._judged(limit, *map(int, told)))
        return outcomes

    def _judged(self, limit: Limit, allowed: int, before: int, before_ttl: int, now: int, now_ttl: int) -> Outcome:
        """Counts and milliseconds of the window, as `limits` judges them."""
        if allowed and limit.quiet:
            return True, None
        item = self._item(limit)
        expiry = item.get_expiry()
        used = before * max(0, before_ttl) / 1000 / expiry + now
        resets = [max(0, before_ttl) / 1000 % (expiry / before)] if before else []
        resets += [max(0, now_ttl) / 1000 % expiry or expiry] if now else []
        left = max(0, item.amount - math.floor(used)) if allowed else 0
        return bool(allowed), _standing(limit, item, time.time() + min(resets, default=0), left)

    def _local(self, limit: Limit, key: str, tighter: int = 1) -> Outcome:
        """By a fixed window, as the strategy of `limits` has it, which makes the name of the window four times."""
        item = self._item(limit, tighter)
        memory = self._windows.get(limit.name)
        if memory is None:
            memory = self._windows[limit.name] = BoundedMemory()
        window = item.key_for(key)
        count = memory.incr(window, item.get_expiry())
        allowed = count <= item.amount
        if allowed and limit.quiet:
            return True, None
        return allowed, _standing(limit, item, memory.get_expiry(window), max(0, item.amount - count))

    def _item(self, limit: Limit, tighter: int = 1) -> RateLimitItem:
        if (limit.name, tighter) not in self._items:
            rate = parse(self._rates.get(limit.name, limit.rate))
            amount = max(1, int(rate.amount * self._scale / tighter))
            self._items[limit.name, tighter] = type(rate)(amount, rate.multiples)
        return self._items[limit.name, tighter]


def _standing(limit: Limit, item: RateLimitItem, reset: float, remaining: int) -> Standing:
    return Standing(limit.name, item.amount, item.get_expiry(), remaining, max(1, round(reset - time.time())))


class LimitHeaders:
    """Tells the caller where they stand (draft-ietf-httpapi-ratelimit-headers-10, as structured fields)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        standings: list[Standing] = []
        _standings.set(standings)  # is set anew for each request

        def told(message: Message) -> Awaitable[None]:
            if standings and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_headers(standings)]
            return send(message)

        return self._app(scope, receive, told)


def _headers(standings: list[Standing]) -> list[tuple[bytes, bytes]]:
    policy = ", ".join(f'"{s.name}";q={s.amount};w={s.window}' for s in standings)
    left = ", ".join(f'"{s.name}";r={s.remaining};t={s.reset}' for s in standings)
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]
