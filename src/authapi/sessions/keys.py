"""The keys that sign access tokens: next, current and previous, sealed in Postgres, held in memory by every process.

The next key is published long before it signs, so whoever keeps the key set for `MAX_AGE` seconds already has it; a
previous one stays published until the last token under it has expired.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core import db
from authapi.core.context import Context
from authapi.core.secrets import Unsealable
from authapi.core.settings import Misconfigured
from authapi.core.signing import PrivateKey, SigningKey, load_private_key, make_private_key
from authapi.sessions.models import SharedState, StoredKey

MAX_AGE = 300
"""Seconds for which others may cache the key set."""

FOLLOW = 30
"""Seconds within which every instance has noticed a rotation."""

PURPOSE = "signing keys"
LOCK = 0x61757468_02

log = logging.getLogger(__name__)


class TooSoon(Exception):
    """The next key has not been published for long enough to sign. The message says how many seconds are missing."""


async def load(ctx: Context) -> None:
    """Reads the keys from Postgres into this process; makes the first ones where there are none.

    Raises Misconfigured when the keys were sealed with a root secret that is not known here.
    """
    async with ctx.db() as tx:
        keys = await _all(tx)
    if not _complete(keys):
        async with ctx.db.begin() as tx:
            keys = await _ensure(ctx, tx)
    opened = {key.kid: key for key in [_open(ctx, stored) for stored in keys]}
    current = next(key.kid for key in keys if state_of(key) == "current")
    ctx.keyring.replace(opened.values(), current=current)


async def revoke(ctx: Context) -> str:
    """For keys that have leaked: forgets all of them, the next too, and makes new ones. Returns the kid that signs.

    No access token from before is accepted by this service a second later; clients refresh. Nobody is signed out.
    """
    async with ctx.db.begin() as tx:
        await tx.execute(select(func.pg_advisory_xact_lock(LOCK)))
        await tx.execute(delete(StoredKey))
        keys = await _ensure(ctx, tx)
    kid = next(key.kid for key in keys if state_of(key) == "current")
    log.warning("signing keys were revoked", extra={"kid": kid})
    return kid


async def rotate(ctx: Context, *, force: bool = False) -> str:
    """Moves on: current to previous, next to current, and a new next. Returns the kid that signs from now on.

    Raises TooSoon while others may not have seen the next key yet, unless forced.
    """
    fresh = await _fresh(ctx)
    async with ctx.db.begin() as tx:
        await tx.execute(select(func.pg_advisory_xact_lock(LOCK)))
        keys = await _ensure(ctx, tx)
        now = await _now(ctx, tx)
        following = next(key for key in keys if key.activated_at is None)
        missing = MAX_AGE + FOLLOW - (now - following.created_at).total_seconds()
        if missing > 0 and not force:
            raise TooSoon(f"the next key must be published for {missing:.0f} seconds more before it signs")
        await tx.execute(
            update(StoredKey)
            .where(StoredKey.retired_at.is_(None), StoredKey.activated_at.is_not(None))
            .values(retired_at=now)
        )
        await tx.execute(update(StoredKey).where(StoredKey.kid == following.kid).values(activated_at=now))
        await _add(ctx, tx, fresh, now, activated_at=None)
        await _announce(tx)
    log.info("signing keys moved on", extra={"kid": following.kid})
    return following.kid


async def maintain(ctx: Context) -> None:
    """What the worker does: forgets keys whose tokens have all expired, seals anew what an earlier root secret sealed,
    prepares a next key of the algorithm in the settings, and rotates when the current one is old or of another."""
    settings = ctx.settings
    async with ctx.db.begin() as tx:
        await tx.execute(select(func.pg_advisory_xact_lock(LOCK)))
        now = await _now(ctx, tx)
        dead = StoredKey.retired_at < now - timedelta(seconds=_published_for(ctx))
        stale = StoredKey.activated_at.is_(None) & (StoredKey.algorithm != settings.signing_algorithm)
        if (await tx.execute(delete(StoredKey).where(dead | stale).returning(StoredKey.kid))).all():
            await _announce(tx)
        keys = await _ensure(ctx, tx)
        for key in keys:
            if not ctx.vault.is_current(PURPOSE, key.sealed):
                key.sealed = _seal(ctx, key.kid, _open(ctx, key))
        current = next(key for key in keys if state_of(key) == "current")
        due = (now - (current.activated_at or now)).total_seconds() >= settings.signing_key_lifetime
    if due or current.algorithm != settings.signing_algorithm:
        try:
            await rotate(ctx)
        except TooSoon as wait:
            log.info("signing keys do not move on yet", extra={"reason": str(wait)})


async def status(ctx: Context) -> Sequence[StoredKey]:
    """Every key, the newest first."""
    async with ctx.db() as tx:
        return list(reversed(await _all(tx)))


def state_of(key: StoredKey) -> str:
    return "next" if key.activated_at is None else "current" if key.retired_at is None else "previous"


def _published_for(ctx: Context) -> int:
    """Seconds a key stays in the set after it last signed anywhere."""
    return ctx.settings.access_token_lifetime + MAX_AGE + 2 * FOLLOW


def _complete(keys: Sequence[StoredKey]) -> bool:
    return {"next", "current"} <= {state_of(key) for key in keys}


async def _ensure(ctx: Context, tx: AsyncSession) -> Sequence[StoredKey]:
    """There is a current key and a next one. One instance makes what is missing."""
    await tx.execute(select(func.pg_advisory_xact_lock(LOCK)))
    keys = await _all(tx)
    if not _complete(keys):
        now, states = await _now(ctx, tx), {state_of(key) for key in keys}
        for state, activated_at in (("current", now), ("next", None)):
            if state not in states:
                await _add(ctx, tx, await _fresh(ctx), now, activated_at=activated_at)
        await _announce(tx)
        keys = await _all(tx)
    return keys


async def _fresh(ctx: Context) -> PrivateKey:
    return await asyncio.to_thread(make_private_key, ctx.settings.signing_algorithm)


async def _add(
    ctx: Context, tx: AsyncSession, private: PrivateKey, now: datetime, *, activated_at: datetime | None
) -> None:
    kid = ctx.random.token()[:16]
    algorithm = ctx.settings.signing_algorithm
    key = SigningKey(kid, algorithm, private)
    row = {
        "kid": kid,
        "algorithm": algorithm,
        "sealed": _seal(ctx, kid, key),
        "created_at": now,
        "activated_at": activated_at,
    }
    await tx.execute(insert(StoredKey).values(row))


async def _announce(tx: AsyncSession) -> None:
    await tx.execute(update(SharedState).values(keys_version=SharedState.keys_version + 1))


async def _all(tx: AsyncSession) -> Sequence[StoredKey]:
    return (await tx.scalars(select(StoredKey).order_by(StoredKey.created_at, StoredKey.kid))).all()


async def _now(ctx: Context, tx: AsyncSession) -> datetime:
    return (await tx.execute(select(db.now(ctx.clock)))).scalar_one()


def _seal(ctx: Context, kid: str, key: SigningKey) -> bytes:
    return ctx.vault.seal(PURPOSE, key.der(), bound_to=kid.encode())


def _open(ctx: Context, stored: StoredKey) -> SigningKey:
    try:
        der = ctx.vault.unseal(PURPOSE, stored.sealed, bound_to=stored.kid.encode())
    except Unsealable:
        raise Misconfigured(
            f"the signing key {stored.kid} was sealed with another AUTHAPI_SECRET; "
            "add that one to AUTHAPI_EARLIER_SECRETS"
        ) from None
    return SigningKey(stored.kid, stored.algorithm, load_private_key(der))
