"""Failed sign-ins, counted exactly in Postgres: per account, per known device and per address.

The first few are free; after each further one that was let through, the next has to wait twice as long, up to 15
minutes. Nothing is locked for good: a try that comes too early is refused without prolonging the wait, and a device
that signed in before has a counter of its own, so that strangers cannot keep the owner out.

A try is claimed (counted) before its password is hashed, so that of many at once no more than the free ones are hashed;
a success takes the claim back. One that would have to wait because of others that are still being hashed stays until
these are decided: they may have the right password. The address is asked with the claim and counted with the refusal: a
counter that all sign-ins from an office share would otherwise let one of them through at a time.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core import metrics
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.core.secrets import mac
from authapi.signin import store

KEYS = "sign-in failures"


def account(ctx: Context, email_key: str) -> bytes:
    """The key of the counter of whoever has this address, or nobody."""
    return _key(ctx, f"account:{email_key}")


def device(ctx: Context, id: UUID) -> bytes:
    """The key of the counter of a known device; a session is one, too."""
    return _key(ctx, f"device:{id}")


def address(ctx: Context, client: Client) -> bytes:
    return _key(ctx, f"address:{client.household}")


def _key(ctx: Context, name: str) -> bytes:
    """Not a plain digest, which whoever has a list of addresses could undo."""
    return mac(next(iter(ctx.vault.keys(KEYS).values())), name.encode())


async def refuse(
    ctx: Context,
    client: Client,
    *,
    method: str,
    user_id: UUID | None,
    counter: bytes,
    address: bytes | None,
    let_through: bool,
    is_throttled: bool,
) -> None:
    """A failure on record, with the same statements for an address that belongs to nobody. `is_throttled`: from here on
    the account's sign-ins wait."""
    metrics.signed_in(method, "refused")
    values = {
        "counter": counter,
        "address": address,
        "let_through": let_through,
        "free": ctx.settings.sign_in_free_failures_per_address,
        "user_id": user_id,
        "method": method,
    }
    await store.refuse(ctx.driver, values | audit.values(ctx, client))
    if is_throttled:
        async with ctx.db.begin() as tx:
            await audit.record(ctx, tx, "sign_in.throttled", client, user_id, method=method)


async def forgive(ctx: Context, tx: AsyncSession, email_key: str) -> None:
    """A step: the account starts anew, as after a sign-in. For whoever has proved that it is theirs."""
    await store.clear(tx, account(ctx, email_key))
