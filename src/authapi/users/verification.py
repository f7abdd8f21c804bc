"""Mail that asks somebody to prove their address."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.audit import service as audit
from authapi.codes import service as codes
from authapi.codes.service import Purpose
from authapi.core import devices
from authapi.core.context import Context
from authapi.core.http import Client
from authapi.core.limits import Limit
from authapi.outbox import service as outbox
from authapi.outbox.messages import AddressTaken, VerifyAddress
from authapi.users import store as users
from authapi.users.models import User
from authapi.users.rules import Address
from authapi.users.telling import tell

LIFETIME = 24 * 60 * 60
"""Of link and code. The code signs nobody in, and five guesses are five guesses however long they take."""

MAIL_BY_MAILBOX = Limit("users.verification.mailbox", "10/day", quiet=True)
"""Mails that strangers can have sent to one address by asking again. While it bites, the last link is still good; with
as many by signing up, and five guesses a code, the chance to guess one is 1 in 10 000 a day."""


async def send(ctx: Context, tx: AsyncSession, client: Client, user: User, *, data: bytes = b"") -> None:
    """A step: a link and a code that prove the address, from whatever device. `data` comes back to who spends them."""
    address = Address(user.email, user.email_key)
    await users.ask_to_verify(tx, user.id, values(ctx, client, address, locale=user.locale, data=data))


def values(
    ctx: Context, client: Client, address: Address, *, locale: str | None = None, data: bytes = b""
) -> dict[str, Any]:
    """The same for a statement of one's own: the parameters of `store.ASKED`."""
    issued, secret = codes.draw(
        ctx,
        Purpose.VERIFY_ADDRESS,
        binding=binding(address.key),
        lifetime_seconds=LIFETIME,
        with_code=True,
        data=data,
    )
    message = VerifyAddress(
        token=issued.token,
        code=issued.code,
        minutes=LIFETIME // 60,
        device=devices.in_words(client.user_agent),
        ip=client.ip,
    )
    return secret | outbox.values(ctx, message, to=address.display, locale=locale or client.accept_language)


def binding(email_key: str) -> bytes:
    """What the code is for."""
    return email_key.encode()


async def verified(ctx: Context, tx: AsyncSession, client: Client, user: User) -> None:
    """A step: the person has proved the address they have now."""
    await users.verify(tx, ctx.clock, user.id)
    await codes.void(ctx, tx, user.id, Purpose.VERIFY_ADDRESS)
    await audit.record(ctx, tx, "email.verified", client, user.id)


async def tell_owner(ctx: Context, tx: AsyncSession, client: Client, owner: User) -> None:
    """A step: somebody wanted the address that this person has."""
    message = AddressTaken(device=devices.in_words(client.user_agent), ip=client.ip)
    await tell(ctx, tx, client, owner, message)
