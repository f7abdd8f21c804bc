"""One try at a password: claimed before it is hashed; afterwards refused on record, or cleared by the success."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID
from weakref import WeakValueDictionary

from authapi.core.context import Context
from authapi.core.hashing import LONGEST_WAIT, Busy
from authapi.core.http import Caller, Client
from authapi.core.problems import Unavailable
from authapi.methods.password import store
from authapi.signin import failures
from authapi.signin import store as counters
from authapi.signin.devices import Device

METHOD = "password"

Claim: TypeAlias = Callable[[Context, Mapping[str, Any]], Awaitable[Any]]

_turns: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
"""In each process one claim at a time of an account or of a known device: the row would let through no more, and many
that wait for it would take every connection."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A password, and whose it is."""

    user_id: UUID
    credential_id: UUID
    hash: str


@dataclass(frozen=True, slots=True)
class Try:
    """`password` is what it must be; none where nobody has the address. `counter` has counted it, `address` is the one
    that a refusal counts, too; none for a known device. `is_throttled`: the account has used up what is free."""

    user_id: UUID | None
    password: Owned | None
    counter: bytes
    address: bytes | None
    device_id: UUID | None
    let_through: bool
    is_throttled: bool


async def claim(ctx: Context, client: Client, email_key: str, device: Device | None) -> Try:
    """By the counter of the device, where this very person signed in there with the password they still have; else by
    those of account and address."""
    account, address = failures.account(ctx, email_key), failures.address(ctx, client)
    known = failures.device(ctx, device.id) if device else None
    values = {
        "email_key": email_key,
        "device_user": device.user_id if device else None,
        "device_since": device.signed_in_at if device else None,
        "device": known,
        "account": account,
        "address": address,
    }
    row = await _decided(ctx, known or account, store.claim, values)
    if row.is_known and device is not None:
        return _try(ctx, row, address=None, device_id=device.id)
    return _try(ctx, row, address=address, device_id=None)


async def claim_own(ctx: Context, caller: Caller) -> Try:
    """By the counter of the session, so that strangers who fail for the same account do not keep its owner out."""
    device = failures.device(ctx, caller.session_id)
    values = {"user_id": caller.user_id, "device": device}
    return _try(ctx, await _decided(ctx, device, store.claim_own, values), address=None, device_id=None)


async def _decided(ctx: Context, turn: bytes, claim: Claim, values: Mapping[str, Any]) -> Any:
    """Once the tries before it are. Raises Busy where that takes too long."""
    now = asyncio.get_running_loop().time
    began = now()
    async with _turns.setdefault(turn, asyncio.Lock()):
        while (row := await _claim(ctx, claim, values)).let_through is None:
            if now() - began > LONGEST_WAIT:
                raise Busy()
            await asyncio.sleep(ctx.hasher.estimate * (1 + ctx.random.fraction()))
    return row


async def _claim(ctx: Context, claim: Claim, values: Mapping[str, Any]) -> Any:
    common = {"free": ctx.settings.sign_in_free_failures, "offset": ctx.clock.offset}
    return await claim(ctx, {**values, **common})


def _try(ctx: Context, row: Any, *, address: bytes | None, device_id: UUID | None) -> Try:
    crossed = row.let_through and row.level == ctx.settings.sign_in_free_failures + 1
    return Try(
        row.user_id,
        Owned(row.user_id, row.credential_id, row.hash) if row.hash is not None else None,
        row.key,
        address,
        device_id,
        row.let_through,
        is_throttled=crossed and not row.is_known,
    )


async def proven(ctx: Context, attempt: Try, password: str) -> Owned | None:
    """The password, if this is it. A try that is not let through is wrong, and takes as long.

    Raises Busy and Unavailable, and then it does not count.
    """
    expected = attempt.password
    try:
        if not attempt.let_through:
            await ctx.hasher.pretend()
        elif await ctx.hasher.verify(expected.hash if expected else None, password):
            return expected
    except (Busy, Unavailable):
        await counters.take_back(ctx.driver, attempt.counter, let_through=attempt.let_through)
        raise
    return None


async def refuse(ctx: Context, client: Client, attempt: Try) -> None:
    await failures.refuse(
        ctx,
        client,
        method=METHOD,
        user_id=attempt.user_id,
        counter=attempt.counter,
        address=attempt.address,
        let_through=attempt.let_through,
        is_throttled=attempt.is_throttled,
    )
