"""Log in with an e-mail address and a password."""

from authapi.audit import service as audit
from authapi.core import metrics
from authapi.core.context import Context
from authapi.core.hashing import Busy
from authapi.core.http import Client
from authapi.core.limits import Limit
from authapi.core.problems import Unavailable
from authapi.methods.password import store, trying
from authapi.methods.password.errors import InvalidCredentials
from authapi.methods.password.trying import Owned, Try
from authapi.sessions import starting
from authapi.sessions.starting import Started
from authapi.signin import service as signin
from authapi.signin import store as counters
from authapi.signin.errors import EmailUnverified
from authapi.signin.service import AMR, SignedIn
from authapi.users.rules import Address

LOGIN_BY_ADDRESS = Limit("password.login.address", "300/15 minutes", here=True)

METHOD = "password"


async def log_in(
    ctx: Context, client: Client, *, email: Address, password: str, remember: bool, device_token: str | None = None
) -> SignedIn:
    """Unknown, wrong, waiting and disabled are one answer, which takes as long as one hash.

    Raises TooManyRequests, Busy, InvalidCredentials; EmailUnverified to whoever knows the password.
    """
    ctx.limiter.hit_here(LOGIN_BY_ADDRESS, client.household)  # failures are counted by all instances, in Postgres
    ctx.hasher.admit()
    attempt = await trying.claim(ctx, client, email.key, signin.presented(ctx, device_token))
    proven = await trying.proven(ctx, attempt, password)
    outcome = await _sign_in(ctx, client, attempt, proven, password, remember=remember) if proven else None
    if outcome is None:
        await trying.refuse(ctx, client, attempt)
        raise InvalidCredentials()
    await signin.finish(ctx, outcome, METHOD)
    return outcome


async def _sign_in(
    ctx: Context, client: Client, attempt: Try, proven: Owned, password: str, *, remember: bool
) -> SignedIn | None:
    """None where the person is disabled or has another password by now. In one statement, unless it takes more."""
    if ctx.hasher.needs_rehash(proven.hash):
        better = await _better(ctx, password)
        return await _sign_in_by_steps(ctx, client, attempt, proven, remember=remember, better=better)
    beginning = starting.begin(ctx, client, methods=(AMR[METHOD],), remember=remember)
    values = {
        **audit.values(ctx, client),
        **beginning.parameters,
        "user_id": proven.user_id,
        "hash": proven.hash,
        "method": AMR[METHOD],
        "counter": attempt.counter,
        "must_verify": ctx.settings.email_verification == "required",
        "is_known": attempt.device_id is not None,
    }
    row = await store.sign_in(ctx.batcher, values)
    if row is None:
        return None
    if row.started_at is None:
        return await _sign_in_by_steps(ctx, client, attempt, proven, remember=remember, better=None)
    is_verified = row.email_verified_at is not None
    issued = starting.issue(
        ctx, beginning, row.id, email_verified=is_verified, now=row.started_at, until=row.idle_expires_at
    )
    ended = await starting.lately_ended(ctx, row.id) if row.ended else ()
    return signin.signed_in(ctx, client, row, Started(issued, ended, is_familiar=True), attempt.device_id)


async def _sign_in_by_steps(
    ctx: Context, client: Client, attempt: Try, proven: Owned, *, remember: bool, better: str | None
) -> SignedIn | None:
    """The same in a transaction of many statements, for what is rare."""
    outcome = None
    async with ctx.db.begin() as tx:
        user = await store.still(tx, proven.user_id, proven.hash)
        if user is None:
            return None
        await counters.clear(tx, attempt.counter)
        if user.email_verified_at is None and ctx.settings.email_verification == "required":
            await audit.record(ctx, tx, "sign_in.refused", client, user.id, method=METHOD, reason="email_unverified")
        else:
            outcome = await signin.first_step(
                ctx, tx, client, user, METHOD, remember=remember, device_id=attempt.device_id
            )
            if better is not None:
                await store.rehash(tx, proven.credential_id, old=proven.hash, new=better)
                await audit.record(ctx, tx, "password.rehashed", client, user.id)
    if outcome is None:
        metrics.signed_in(METHOD, "refused")
        raise EmailUnverified()
    return outcome


async def _better(ctx: Context, password: str) -> str | None:
    """A hash with today's parameters; none when that would keep the person out."""
    try:
        return await ctx.hasher.hash(password)
    except (Busy, Unavailable):
        return None
