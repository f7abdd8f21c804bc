"""What happens once a login method knows who somebody is: a session."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core import metrics
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.sessions import denylist
from authapi.sessions import service as sessions
from authapi.sessions.service import Started
from authapi.users.models import User

AMR = {"password": "pwd"}
"""Login methods as authentication method references (RFC 8176)."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    user: User
    client: Client
    started: Started


async def first_step(
    ctx: Context, tx: AsyncSession, client: Client, user: User, method: str, *, remember: bool
) -> SignedIn:
    """A step: the person has proved who they are. Their row must be locked. `finish` it after the commit."""
    methods = (AMR[method],)
    started = await sessions.start(
        ctx, tx, client, user.id, methods=methods, email_verified=user.email_verified_at is not None, remember=remember
    )
    await audit.record(ctx, tx, "sign_in.passed", client, user.id, started.tokens.session_id, method=method)
    return SignedIn(user, client, started)


async def finish(ctx: Context, outcome: SignedIn, method: str) -> None:
    """After the commit, before the answer: the sessions that made room are refused everywhere."""
    metrics.SIGN_INS.labels(method, "passed").inc()
    await denylist.publish(ctx, outcome.started.ended)
