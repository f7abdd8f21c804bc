"""Another address: asked for, confirmed at the new one, stopped or undone from the old one."""

import json
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.codes import service as codes
from authapi.codes.errors import InvalidCode
from authapi.codes.service import PENDING, Purpose, Spent
from authapi.core import deferred, devices
from authapi.core.context import Context
from authapi.core.deferred import Asked
from authapi.core.http import Caller, Client
from authapi.core.limits import Limit
from authapi.credentials import store as credentials
from authapi.methods.password import reset
from authapi.outbox.messages import AddressChanged, AddressChanging, ConfirmAddress
from authapi.sessions import denylist, ending
from authapi.sessions import store as sessions
from authapi.sessions.denylist import End
from authapi.sessions.errors import TokenMissing
from authapi.sessions.models import Session
from authapi.signin import departure
from authapi.users import store as users
from authapi.users import verification
from authapi.users.models import User
from authapi.users.rules import Address
from authapi.users.telling import tell

CONFIRM_WITHIN = 60 * 60
STOP_WITHIN = 7 * 24 * 60 * 60
CHANGE_BY_PERSON = Limit("email.change.person", "10/hour")
CHANGE_BY_MAILBOX = Limit("email.change.mailbox", "10/day", quiet=True)
"""Of its own: what strangers may ask for must not keep the person from it."""

CONFIRM_BY_ADDRESS = Limit("email.confirm.address", "60/hour")
CHANGE = "email.change"


@dataclass(frozen=True, slots=True)
class Done:
    """Whose address it is now, and which sessions to publish. `undone` tells a stop before from a stop after."""

    email: str
    ends: list[End]
    undone: bool = False


async def ask(ctx: Context, caller: Caller, *, email: Address) -> None:
    """Whether somebody else has the address is looked up by a job, so nothing is told. Raises TooManyRequests."""
    await ctx.limiter.hit((CHANGE_BY_PERSON, str(caller.user_id)), (CHANGE_BY_MAILBOX, email.key))
    asked = {
        "user_id": str(caller.user_id),
        "session_id": str(caller.session_id),
        "email": email.display,
        "email_key": email.key,
    }
    async with ctx.db.begin() as tx:
        await deferred.put_off(ctx, tx, CHANGE, caller.client, asked)


async def begin(ctx: Context, client: Client, asked: Asked) -> None:
    """The job: mail to both addresses. Where the new one is somebody else's, its owner learns of it instead of being
    asked; everything else is the same, because whoever asks sees their own mailbox, their events and their export."""
    new = Address(asked["email"], asked["email_key"])
    async with ctx.db.begin() as tx:
        user = await users.lock(tx, UUID(asked["user_id"]))
        if user is None or user.disabled_at is not None or not await _still_stands(tx, UUID(asked["session_id"])):
            return
        await audit.record(ctx, tx, "email.change_asked", client, user.id, UUID(asked["session_id"]))
        await codes.void(ctx, tx, user.id, Purpose.CHANGE_ADDRESS)
        await _ask_new(ctx, tx, client, user, new, asked["session_id"])
        if user.email_verified_at is not None:  # else it may be a stranger's, who could take the account by stopping
            await _warn_old(ctx, tx, client, user, new)


async def _still_stands(tx: AsyncSession, session_id: UUID) -> bool:
    """Whether who asked is still signed in: meanwhile the owner may have thrown out a thief. The person is locked."""
    session = await sessions.by_id(tx, session_id)
    return session is not None and session.ended_at is None


async def _ask_new(ctx: Context, tx: AsyncSession, client: Client, user: User, new: Address, session_id: str) -> None:
    issued = await codes.issue(
        ctx,
        tx,
        Purpose.CHANGE_ADDRESS,
        user_id=user.id,
        binding=user.id.bytes,
        lifetime_seconds=CONFIRM_WITHIN,
        with_code=True,
        data=_packed(new, session_id=session_id),
    )
    holder = await users.by_key(tx, new.key)
    if holder is None or holder.id == user.id or holder.email_verified_at is None:
        message = ConfirmAddress(token=issued.token, code=issued.code, minutes=CONFIRM_WITHIN // 60)
        await tell(ctx, tx, client, user, message, to=new.display)
    elif holder.disabled_at is None:
        await verification.tell_owner(ctx, tx, client, holder)


async def _warn_old(ctx: Context, tx: AsyncSession, client: Client, user: User, new: Address) -> None:
    issued = await codes.issue(
        ctx,
        tx,
        Purpose.STOP_ADDRESS_CHANGE,
        user_id=user.id,
        binding=user.id.bytes,
        lifetime_seconds=STOP_WITHIN,
        data=_packed(Address(user.email, user.email_key)),
    )
    message = AddressChanging(
        new=new.display, token=issued.token, device=devices.in_words(client.user_agent), ip=client.ip
    )
    await tell(ctx, tx, client, user, message)


async def confirm(
    ctx: Context, client: Client, *, token: str | None = None, caller: Caller | None = None, code: str | None = None
) -> str:
    """The change, by the link or, for the person themselves, by the code. Returns the new address.

    Raises TokenMissing with neither, TooManyRequests, InvalidCode; Unavailable where somebody signs up with that
    address this very moment.
    """
    if token is None and caller is None:
        raise TokenMissing()
    await ctx.limiter.hit((CONFIRM_BY_ADDRESS, client.household))
    async with ctx.db.begin() as tx:
        done = await _confirm(ctx, tx, client, token, caller, code)
    return (await _finished(ctx, done)).email


async def _confirm(
    ctx: Context, tx: AsyncSession, client: Client, token: str | None, caller: Caller | None, code: str | None
) -> Done | None:
    if token is not None:
        id = await codes.owner(ctx, tx, Purpose.CHANGE_ADDRESS, token)
    else:
        id = caller.user_id if caller is not None else None
    user = await users.lock(tx, id) if id is not None else None
    if user is None or user.disabled_at is not None:
        return None
    binding = user.id.bytes
    spent = await codes.spend(ctx, tx, Purpose.CHANGE_ADDRESS, token=token, binding=binding, code=code)
    if spent is None:
        if token is None:
            await audit.record(ctx, tx, "email.code_refused", client, user.id)
        return None
    new, asked = _unpacked(spent)
    if not await _still_stands(tx, UUID(asked["session_id"])):
        return None
    ends = await _vacate(ctx, tx, client, new, user)
    if ends is None:
        return None
    if user.email_verified_at is not None:
        message = AddressChanged(new=new.display, at=ctx.clock.now())
        await tell(ctx, tx, client, user, message)
    await users.move(tx, ctx.clock, user.id, new)
    await _settle(ctx, tx, client, user, "email_changed", but=UUID(asked["session_id"]))
    await audit.record(ctx, tx, "email.changed", client, user.id)
    return Done(new.display, ends + await denylist.lately(ctx, tx, Session.user_id == user.id))


async def stop(ctx: Context, client: Client, *, token: str) -> Done:
    """By the link in the old mailbox: the change does not happen. Where it has, the old address comes back, and what
    whoever made it knows is void: sessions, credentials, everything sent; a link to choose a new password is sent.

    Raises TooManyRequests, InvalidCode; Unavailable where somebody signs up with the old address this very moment.
    """
    await ctx.limiter.hit((CONFIRM_BY_ADDRESS, client.household))
    async with ctx.db.begin() as tx:
        done = await _stop(ctx, tx, client, token)
    return await _finished(ctx, done)


async def _stop(ctx: Context, tx: AsyncSession, client: Client, token: str) -> Done | None:
    id = await codes.owner(ctx, tx, Purpose.STOP_ADDRESS_CHANGE, token)
    user = await users.lock(tx, id) if id is not None else None
    if user is None or user.disabled_at is not None:
        return None
    spent = await codes.spend(ctx, tx, Purpose.STOP_ADDRESS_CHANGE, token=token)
    if spent is None:
        return None
    await codes.void_later(ctx, tx, spent, Purpose.STOP_ADDRESS_CHANGE)  # nobody undoes this from a later address
    old, _ = _unpacked(spent)
    if old.key == user.email_key:
        await codes.void(ctx, tx, user.id, Purpose.CHANGE_ADDRESS)
        await audit.record(ctx, tx, "email.change_stopped", client, user.id)
        return Done(user.email, [])
    ends = await _vacate(ctx, tx, client, old, user)
    if ends is None:
        return None
    restored = await users.move(tx, ctx.clock, user.id, old)
    if restored.erase_at is not None:  # leaving, too, was up to the owner
        restored.erase_at = None
        await audit.record(ctx, tx, "user.restored", client, user.id)
    await credentials.remove_all(tx, user.id)
    await _settle(ctx, tx, client, user, "email_restored", but=None)
    await audit.record(ctx, tx, "email.restored", client, user.id)
    await reset.send_link(ctx, tx, client, restored)
    return Done(old.display, ends + await denylist.lately(ctx, tx, Session.user_id == user.id), undone=True)


async def _vacate(ctx: Context, tx: AsyncSession, client: Client, address: Address, user: User) -> list[End] | None:
    """Takes a proved address from an account that never proved it. None where somebody else has."""
    holder = await users.lock_by_key(tx, address.key)
    if holder is None or holder.id == user.id:
        return []
    if holder.email_verified_at is not None:
        return None
    await users.displace(tx, ctx.clock, holder.id)  # not removed: `departure.erase` knows when that may be
    await audit.record(ctx, tx, "user.displaced", client, holder.id)
    return await departure.sign_out(ctx, tx, client, holder.id, reason="address_proved_by_another")


async def _settle(ctx: Context, tx: AsyncSession, client: Client, user: User, reason: str, but: UUID | None) -> None:
    await ending.end_all(ctx, tx, client, user.id, reason=reason, but=but)
    await codes.void(ctx, tx, user.id, *PENDING)


async def _finished(ctx: Context, done: Done | None) -> Done:
    if done is None:
        raise InvalidCode()
    await denylist.publish(ctx, done.ends)
    return done


def _packed(address: Address, **more: str) -> bytes:
    return json.dumps({"email": address.display, "email_key": address.key, **more}).encode()


def _unpacked(spent: Spent) -> tuple[Address, dict[str, str]]:
    content = json.loads(spent.data)
    return Address(content["email"], content["email_key"]), content
