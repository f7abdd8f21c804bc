"""Tokens and codes that pass once: one table and one claim for every purpose."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from authapi.codes import store
from authapi.core.context import Context
from authapi.core.secrets import digest, mac

DIGITS = 6
PREFIX = "ot_"
SEALED = "data of one-time secrets"
KEYS = "one-time codes"


class Purpose(StrEnum):
    VERIFY_ADDRESS = "verify_address"
    RESET_PASSWORD = "reset_password"  # noqa: S105 (a name)
    CHANGE_ADDRESS = "change_address"
    STOP_ADDRESS_CHANGE = "stop_address_change"


PENDING = (Purpose.VERIFY_ADDRESS, Purpose.RESET_PASSWORD, Purpose.CHANGE_ADDRESS)
"""What dies with a password or an address. Not the way to stop a change: whoever took over an account could take that
from its owner."""


@dataclass(frozen=True, slots=True)
class Issued:
    """`token` is for a link, `code` for typing in, empty where none was asked for. Nothing of either is stored."""

    token: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Spent:
    id: UUID
    user_id: UUID | None
    data: bytes = field(repr=False)


async def issue(
    ctx: Context,
    tx: AsyncSession,
    purpose: Purpose,
    *,
    user_id: UUID | None,
    binding: bytes,
    lifetime_seconds: int,
    with_code: bool = False,
    data: bytes = b"",
) -> Issued:
    """A step: a new secret. Earlier ones stay, but of several codes with one binding only the newest passes.

    A code that signs somebody in must not live longer than ten minutes (OWASP ASVS 6.5.5).
    """
    issued, values = draw(
        ctx, purpose, binding=binding, lifetime_seconds=lifetime_seconds, with_code=with_code, data=data
    )
    await store.add(tx, user_id, values)
    return issued


def draw(
    ctx: Context,
    purpose: Purpose,
    *,
    binding: bytes,
    lifetime_seconds: int,
    with_code: bool = False,
    data: bytes = b"",
) -> tuple[Issued, dict[str, Any]]:
    """The same for a statement of one's own: a secret, and the parameters of `store.ISSUED`."""
    id, token = ctx.random.id(), PREFIX + ctx.random.token()
    code = ctx.random.digits(DIGITS) if with_code else ""
    values = {
        "secret": id,
        "purpose": purpose,
        "digest": digest(token.encode()),
        "code_digest": _code_digests(ctx, purpose, binding, code)[0] if with_code else None,
        "binding": binding,
        "data": ctx.vault.seal(SEALED, data, bound_to=id.bytes) if data else None,
        "lifetime": lifetime_seconds,
        "offset": ctx.clock.offset,
    }
    return Issued(token, code), values


async def spend(
    ctx: Context,
    tx: AsyncSession,
    purpose: Purpose,
    *,
    token: str | None = None,
    binding: bytes = b"",
    code: str | None = None,
) -> Spent | None:
    """A step: claims a secret by its token, or by its binding and code. None where it is wrong, spent or expired.

    A wrong code is counted: let the transaction commit, and raise outside.
    """
    by_code = code is not None
    row = await store.spend(
        tx,
        ctx.clock,
        purpose,
        digest=digest(token.encode()) if token is not None else None,
        binding=binding if by_code else None,
        code_digests=_code_digests(ctx, purpose, binding, code) if code is not None else (),
    )
    if row is None or not row.passed:
        return None
    return Spent(row.id, row.user_id, _unsealed(ctx, row.id, row.data))


async def owner(ctx: Context, tx: AsyncSession, purpose: Purpose, token: str) -> UUID | None:
    """A step: whose live token this is; it stays unspent."""
    return await store.owner(tx, ctx.clock, purpose, digest(token.encode()))


async def void(ctx: Context, tx: AsyncSession, user_id: UUID, *purposes: Purpose) -> None:
    """A step: a person's unspent secrets of these purposes are good for nothing from here on; of all, without any."""
    await store.void(tx, ctx.clock, user_id, purposes)


async def void_later(ctx: Context, tx: AsyncSession, spent: Spent, purpose: Purpose) -> None:
    """A step: the same, of those that were issued after this one."""
    if spent.user_id is not None:
        await store.void_later(tx, ctx.clock, spent.user_id, purpose, spent.id)


async def latest_data(ctx: Context, tx: AsyncSession, purpose: Purpose, user_id: UUID) -> bytes:
    """A step: what travels with the secret that was issued last, to be sent along with another one."""
    row = await store.newest(tx, purpose, user_id)
    return _unsealed(ctx, row.id, row.data) if row is not None else b""


def _unsealed(ctx: Context, id: UUID, data: bytes | None) -> bytes:
    return ctx.vault.unseal(SEALED, data, bound_to=id.bytes) if data else b""


def _code_digests(ctx: Context, purpose: Purpose, binding: bytes, code: str) -> list[bytes]:
    """Under each key that is accepted, the current one first."""
    message = b"\0".join((purpose.encode(), binding, code.encode("utf-8", "replace")))
    return [mac(key, message) for key in ctx.vault.keys(KEYS).values()]
