"""The password once more, by somebody who is signed in, so that the sign-in counts as recent (OWASP ASVS 7.5.1)."""

from authapi.audit import service as audit
from authapi.core.context import Context
from authapi.core.http import Caller
from authapi.methods.password import store, trying
from authapi.methods.password.errors import InvalidCredentials
from authapi.sessions import confirmation
from authapi.sessions.confirmation import Access
from authapi.signin import store as counters


async def confirm(ctx: Context, caller: Caller, *, password: str) -> Access:
    """A fresh access token of the same session. A wrong password is a failed sign-in.

    Raises Busy, InvalidCredentials, SessionEnded.
    """
    ctx.hasher.admit()
    attempt = await trying.claim_own(ctx, caller)
    access = user = None
    proven = await trying.proven(ctx, attempt, password)
    if proven is not None:
        async with ctx.db.begin() as tx:
            user = await store.still(tx, proven.user_id, proven.hash)
            if user is not None:
                await counters.clear(tx, attempt.counter)
                access = await confirmation.confirm(ctx, tx, caller, user)
                if access is not None:
                    await audit.record(ctx, tx, "sign_in.confirmed", caller.client, user.id, caller.session_id)
    if user is None:
        await trying.refuse(ctx, caller.client, attempt)
        raise InvalidCredentials()
    if access is None:
        raise await confirmation.refusal(ctx, caller)
    return access
