"""People who are made up. They live through the real use cases, at times that lie back."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from authapi.audit import service as audit
from authapi.core.clock import SystemClock
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.methods.password import registration, service
from authapi.methods.password.errors import InvalidCredentials
from authapi.methods.password.service import METHOD
from authapi.sessions import denylist, pulse
from authapi.signin import departure, failures, oversight
from authapi.signin import service as signin
from authapi.users import store as users
from authapi.users.models import User
from authapi.users.rules import Address, parse_address

DOMAIN = "seed.example.com"
"""Nobody's (RFC 2606 §3), so that whoever is here was made up here."""

PASSWORD = "correct horse battery staple"  # noqa: S105 (it is meant to be known)
WRONG = "a wrong one"

FIRST_NAMES = (
    *("Ada", "Grace", "Alan", "Katherine", "Edsger", "Radia", "Donald", "Barbara", "Claude", "Hedy"),
    *("Niklaus", "Margaret", "Ken", "Sophie", "Dennis", "Frances", "John", "Karen", "Tony", "Shafi"),
)
LAST_NAMES = (
    *("Okafor", "Nguyen", "Schneider", "García", "Kowalska", "Haddad", "Sato", "Lindqvist", "Moreau", "Rossi"),
    *("Novak", "Silva", "O'Brien", "Demir", "Patel", "Ivanova", "Kim", "van Dijk", "Papadaki"),
)
PLACES = (
    ("en-GB", "Europe/London"),
    ("de-AT", "Europe/Vienna"),
    ("es-MX", "America/Mexico_City"),
    (None, None),
    ("fr-CA", "America/Toronto"),
    ("ja", "Asia/Tokyo"),
)
GECKO = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
AGENTS = (
    GECKO,
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Mobile Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.6 Safari/605.1.15",
)
DISABLED, LOCKED = 1, 2
"""Who of them is what."""

TRIES = 14
"""Wrong passwords: five are free, and after the others the wait has grown to minutes."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Invented:
    number: int
    address: Address
    first_name: str
    last_name: str
    locale: str | None
    time_zone: str | None
    is_verified: bool

    def client(self, device: int) -> Client:
        """Addresses for documentation (RFC 5737)."""
        ip = f"{('192.0.2', '198.51.100', '203.0.113')[device % 3]}.{1 + self.number % 254}"
        return Client(ip, AGENTS[(self.number + device) % len(AGENTS)])


class Earlier(SystemClock):
    def __init__(self, by: timedelta) -> None:
        super().__init__()
        self.offset = -by


def invent(number: int) -> Invented:
    """Always the same for a number."""
    first = FIRST_NAMES[number % len(FIRST_NAMES)]
    last = LAST_NAMES[number % len(LAST_NAMES)]
    locale, time_zone = PLACES[number % len(PLACES)]
    address = parse_address(f"{first.lower()}{number + 1}@{DOMAIN}")
    return Invented(number, address, first, last, locale, time_zone, is_verified=number % 5 != 4)


async def sow(ctx: Context, count: int, *, told: Told) -> int:
    """Adds those of the first `count` who are not there. Returns how many that were."""
    await pulse.beat(ctx)
    hash = await ctx.hasher.hash(PASSWORD)
    added = 0
    for number in reversed(range(count)):  # who registered first has the highest number, so that the record is in order
        invented = invent(number)
        user = await _register(_earlier(ctx, days=20 + number), invented, hash)
        if user is not None:
            await _live(ctx, invented, user)
            told(user.email)
            added += 1
    return added


async def weed(ctx: Context, *, told: Told) -> int:
    """Removes everybody at the domain, each in a transaction of their own. Returns how many that were."""
    async with ctx.db() as tx:
        found = await users.at_domain(tx, DOMAIN)
    for user in found:
        async with ctx.db.begin() as tx:
            ends = await departure.sign_out(ctx, tx, departure.WORKER, user.id, reason="account_deleted")
            await failures.forgive(ctx, tx, user.email_key)
            await departure.erase_one(ctx, tx, user.id)
        await denylist.publish(ctx, ends)
        told(user.email)
    return len(found)


async def _register(ctx: Context, invented: Invented, hash: str) -> User | None:
    names = {"first_name": invented.first_name, "last_name": invented.last_name}
    async with ctx.db.begin() as tx:
        user = await users.add(ctx, tx, invented.address, **names)
        if user is None:
            return None
        await registration.give(ctx, tx, user.id, hash)
        await audit.record(ctx, tx, "user.signed_up", invented.client(0), user.id, method=METHOD)
        await users.change(tx, user.id, locale=invented.locale, time_zone=invented.time_zone)
        if invented.is_verified:
            await users.verify(tx, ctx.clock, user.id)
            await audit.record(ctx, tx, "email.verified", invented.client(0), user.id)
    return user


async def _live(ctx: Context, invented: Invented, user: User) -> None:
    """One to four sign-ins in the last days, from devices that are known, so that nobody is told by mail."""
    for device in reversed(range(1 + invented.number % 4)):
        then = _earlier(ctx, days=device, hours=1 + invented.number % 12)
        async with then.db.begin() as tx:
            owner = await users.lock(tx, user.id)
            if owner is not None:
                await signin.first_step(
                    then, tx, invented.client(device), owner, METHOD, remember=True, device_id=ctx.random.id()
                )
    if invented.number == DISABLED:
        await oversight.disable(ctx, departure.WORKER, str(user.id))
    if invented.number == LOCKED:
        await _lock_out(ctx, invented)


async def _lock_out(ctx: Context, invented: Invented) -> None:
    """The tries come twice as far apart each time, so each is let through, and the wait after it doubles too."""
    for left in reversed(range(TRIES)):
        then = _earlier(ctx, seconds=1024 - 1024 / 2**left)
        with suppress(InvalidCredentials):
            await service.log_in(then, invented.client(5), email=invented.address, password=WRONG, remember=False)


def _earlier(ctx: Context, **by: float) -> Context:
    return replace(ctx, clock=Earlier(timedelta(**by)))
