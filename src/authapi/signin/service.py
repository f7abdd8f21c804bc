"""What happens once a login method knows who somebody is: a session."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.core import metrics
from authapi.core.context import Context
from authapi.core.devices import in_words
from authapi.core.http import Client
from authapi.outbox.messages import NewDevice, Restored
from authapi.sessions import denylist, starting
from authapi.sessions.starting import Started
from authapi.signin import devices
from authapi.signin.devices import Device
from authapi.users.models import User
from authapi.users.telling import tell

AMR = {"password": "pwd"}
"""Login methods as authentication method references (RFC 8176)."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`device_token` shows, the next time, that somebody has signed in from this device before."""

    user: User
    client: Client
    started: Started
    device_token: str


def presented(ctx: Context, token: str | None) -> Device | None:
    """The device that a token speaks for; one that is no good is as none."""
    return devices.read(ctx.vault.keys(devices.PURPOSE), token)


def signed_in(ctx: Context, client: Client, user: User, started: Started, device_id: UUID | None) -> SignedIn:
    """On a device that is known by this id, or from now on is known by a new one."""
    device = Device(user.id, device_id or ctx.random.id(), started.tokens.now)
    return SignedIn(user, client, started, devices.token(ctx.vault.keys(devices.PURPOSE), device))


async def first_step(
    ctx: Context,
    tx: AsyncSession,
    client: Client,
    user: User,
    method: str,
    *,
    remember: bool,
    device_id: UUID | None = None,
) -> SignedIn:
    """A step: the person has proved who they are. Their row must be locked. `finish` it after the commit.

    Tells them by mail where it is a new device: neither known by its token nor like one they signed in from before.
    Who was leaving stays.
    """
    started = await starting.start(
        ctx,
        tx,
        client,
        user.id,
        methods=(AMR[method],),
        email_verified=user.email_verified_at is not None,
        remember=remember,
    )
    await audit.record(ctx, tx, "sign_in.passed", client, user.id, started.tokens.session_id, method=method)
    if device_id is None and not started.is_familiar:
        message = NewDevice(device=in_words(client.user_agent), ip=client.ip, at=started.tokens.now)
        await tell(ctx, tx, client, user, message)
    if user.erase_at is not None:
        await _restore(ctx, tx, client, user, started.tokens.now)
    return signed_in(ctx, client, user, started, device_id)


async def _restore(ctx: Context, tx: AsyncSession, client: Client, user: User, now: datetime) -> None:
    user.erase_at = None
    await audit.record(ctx, tx, "user.restored", client, user.id)
    await tell(ctx, tx, client, user, Restored(at=now))


async def finish(ctx: Context, outcome: SignedIn, method: str) -> None:
    """After the commit, before the answer: the sessions that made room are refused everywhere."""
    metrics.signed_in(method, "passed")
    await denylist.publish(ctx, outcome.started.ended)
