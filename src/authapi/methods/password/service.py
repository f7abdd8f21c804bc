"""Sign up and log in with an e-mail address and a password."""

from collections.abc import Sequence
from uuid import UUID

from authapi.audit import service as audit
from authapi.core import metrics
from authapi.core.context import Context
from authapi.core.hashing import Busy
from authapi.core.http import Client
from authapi.core.limits import Limit
from authapi.core.problems import Unavailable
from authapi.credentials import store as credentials
from authapi.methods.password import common, rules, store
from authapi.methods.password.errors import EmailTaken, InvalidCredentials, WeakPassword
from authapi.signin import service as signin
from authapi.signin.service import SignedIn
from authapi.users import store as users
from authapi.users.rules import Address

LOGIN_BY_EMAIL = Limit("password.login.email", "10/15 minutes", quiet=True)
LOGIN_BY_ADDRESS = Limit("password.login.address", "300/15 minutes")
SIGNUP_BY_ADDRESS = Limit("password.signup.address", "30/hour")

METHOD = "password"


async def sign_up(
    ctx: Context,
    client: Client,
    *,
    email: Address,
    password: str,
    first_name: str | None,
    last_name: str | None,
    remember: bool,
) -> SignedIn:
    """A new person, their password and their first session, in one transaction.

    Raises TooManyRequests, Busy, WeakPassword, EmailTaken.
    """
    await ctx.limiter.hit((SIGNUP_BY_ADDRESS, client.household))
    ctx.hasher.admit()
    if await store.by_email(ctx.driver, email.key) is not None:
        raise EmailTaken()
    await _refuse_weak(ctx, password, personal=(email.display, first_name or "", last_name or ""))
    hash = await ctx.hasher.hash(password)
    async with ctx.db.begin() as tx:
        user = await users.add(ctx, tx, email, first_name=first_name, last_name=last_name)
        if user is None:
            raise EmailTaken()
        credential_id = await credentials.add(ctx, tx, user.id, METHOD, step=1)
        await store.add(ctx, tx, credential_id, hash)
        await audit.record(ctx, tx, "user.signed_up", client, user.id, method=METHOD)
        outcome = await signin.first_step(ctx, tx, client, user, METHOD, remember=remember)
    await signin.finish(ctx, outcome, METHOD)
    return outcome


async def log_in(ctx: Context, client: Client, *, email: Address, password: str, remember: bool) -> SignedIn:
    """Unknown, wrong and disabled are one answer and cost one hash.

    Raises TooManyRequests, Busy, InvalidCredentials.
    """
    await ctx.limiter.hit((LOGIN_BY_ADDRESS, client.household), (LOGIN_BY_EMAIL, email.key))
    ctx.hasher.admit()
    found = await store.by_email(ctx.driver, email.key)
    hash = found.hash if found else None
    outcome = None
    if await ctx.hasher.verify(hash, password) and found is not None:
        better = await _better(ctx, found.hash, password)
        async with ctx.db.begin() as tx:
            user = await store.still(tx, found.user_id, found.hash)
            if user is not None:
                outcome = await signin.first_step(ctx, tx, client, user, METHOD, remember=remember)
                if better is not None:
                    await store.rehash(tx, found.credential_id, old=found.hash, new=better)
                    await audit.record(ctx, tx, "password.rehashed", client, user.id)
    if outcome is None:
        await _refused(ctx, client, found.user_id if found else None)
        raise InvalidCredentials()
    await signin.finish(ctx, outcome, METHOD)
    return outcome


async def _better(ctx: Context, hash: str, password: str) -> str | None:
    """A hash with today's parameters, if the stored one has others; not when that would keep the person out."""
    if not ctx.hasher.needs_rehash(hash):
        return None
    try:
        return await ctx.hasher.hash(password)
    except (Busy, Unavailable):
        return None


async def _refused(ctx: Context, client: Client, user_id: UUID | None) -> None:
    """On record, with the same work for an address that belongs to nobody."""
    metrics.SIGN_INS.labels(METHOD, "refused").inc()
    async with ctx.db.begin() as tx:
        await audit.record(ctx, tx, "sign_in.refused", client, user_id, method=METHOD)


async def _refuse_weak(ctx: Context, password: str, *, personal: Sequence[str]) -> None:
    weakness = await ctx.hasher.run(
        rules.weakness, password, minimum=ctx.settings.password_min_length, personal=personal, common=common.passwords()
    )
    if weakness is not None:
        fault = {"pointer": "/password", "message": weakness.message}
        raise WeakPassword(weakness.message, reason=weakness.code, errors=[fault])
