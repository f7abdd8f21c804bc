"""The SQL of people."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, text, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.codes.store import ISSUED
from authapi.core import db
from authapi.core.clock import Clock
from authapi.core.context import Context
from authapi.core.problems import Unavailable
from authapi.outbox.store import PUT
from authapi.users.models import User
from authapi.users.rules import Address

ADDED = """
    INSERT INTO users (id, email, email_key, first_name, last_name, created_at)
    SELECT person.user_id, CAST(:email AS text), CAST(:email_key AS text), CAST(:first_name AS text),
           CAST(:last_name AS text), clock_timestamp() + CAST(:offset AS interval)
      FROM asked AS person
        ON CONFLICT (email_key) DO NOTHING
    RETURNING *
"""
"""A person for each row (user_id) of `asked`; none where the address is taken. The unique key decides, not a prior
read."""

_ADD = text(f"WITH asked AS (SELECT CAST(:user_id AS uuid) AS user_id) {ADDED}")

ASKED = f"secret AS ({ISSUED}), {PUT}"
"""Each row (id) of `person` is asked by mail to prove their address: a secret and a message."""

_ASK_TO_VERIFY = text(f"WITH person AS (SELECT CAST(:user_id AS uuid) AS id), {ASKED} SELECT id FROM message")

_UNVERIFIED = text("""
    WITH page AS (
        SELECT id FROM users WHERE id > :after ORDER BY id LIMIT :batch
    ), overdue AS (
        SELECT id FROM users
         WHERE id IN (SELECT id FROM page) AND email_verified_at IS NULL AND erase_at IS NULL
           AND created_at < clock_timestamp() + CAST(:offset AS interval) - make_interval(secs => :lifetime)
           FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last, ARRAY(SELECT id FROM overdue) AS ids
""")


async def add(
    ctx: Context, tx: AsyncSession, address: Address, *, first_name: str | None, last_name: str | None
) -> User | None:
    """Adds a person, or returns None where the address is taken (see ADDED)."""
    parameters = values(ctx, address, first_name=first_name, last_name=last_name)
    return (await tx.scalars(select(User).from_statement(_ADD), parameters)).one_or_none()


def values(ctx: Context, address: Address, *, first_name: str | None, last_name: str | None) -> dict[str, Any]:
    """The parameters of `ADDED`."""
    return {
        "user_id": ctx.random.id(),
        "email": address.display,
        "email_key": address.key,
        "first_name": first_name,
        "last_name": last_name,
        "offset": ctx.clock.offset,
    }


async def ask_to_verify(tx: AsyncSession, user_id: UUID, values: Mapping[str, Any]) -> None:
    """Asks somebody by mail to prove their address (see ASKED)."""
    await tx.execute(_ASK_TO_VERIFY, {**values, "user_id": user_id})


async def by_id(tx: AsyncSession, id: UUID) -> User | None:
    return await tx.get(User, id)


async def change(tx: AsyncSession, id: UUID, **values: str | None) -> User | None:
    """The person with these columns changed, or None where nobody is there any more."""
    return await tx.scalar(update(User).where(User.id == id).values(**values).returning(User))


async def lock(tx: AsyncSession, id: UUID) -> User | None:
    """The person, locked against another sign-in and another change; as they are now, whatever was read before."""
    statement = select(User).where(User.id == id).with_for_update(key_share=True)
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def lock_by_key(tx: AsyncSession, email_key: str) -> User | None:
    """The same, by the address."""
    statement = select(User).where(User.email_key == email_key).with_for_update(key_share=True)
    return await tx.scalar(statement, execution_options={"populate_existing": True})


async def by_key(tx: AsyncSession, email_key: str) -> User | None:
    return await tx.scalar(select(User).where(User.email_key == email_key))


async def verify(tx: AsyncSession, clock: Clock, id: UUID) -> None:
    """The address is the person's. The first time counts. What was read before stays as it is."""
    proved = func.coalesce(User.email_verified_at, db.now(clock))
    statement = update(User).where(User.id == id).values(email_verified_at=proved)
    await tx.execute(statement, execution_options={"synchronize_session": False})


async def move(tx: AsyncSession, clock: Clock, id: UUID, address: Address) -> User:
    """The person with another address, which has been proved.

    Raises Unavailable where somebody signs up with it this very moment: after the next try it is known what became of
    that.
    """
    values = {"email": address.display, "email_key": address.key, "email_verified_at": db.now(clock)}
    statement = update(User).where(User.id == id).values(values).returning(User)
    try:
        return (await tx.scalars(statement, execution_options={"populate_existing": True})).one()
    except IntegrityError:
        raise Unavailable() from None


async def leave(tx: AsyncSession, clock: Clock, id: UUID, *, after: int) -> User | None:
    """The person, to be erased `after` seconds from now; None where that has been said before, or nobody is there."""
    leaving = (
        update(User)
        .where(User.id == id, User.erase_at.is_(None))
        .values(erase_at=db.now(clock) + timedelta(seconds=after))
        .returning(User)
    )
    return await tx.scalar(leaving)


async def disable(tx: AsyncSession, clock: Clock, id: UUID) -> bool:
    """Whether it was this call that did it."""
    statement = update(User).where(User.id == id, User.disabled_at.is_(None)).values(disabled_at=db.now(clock))
    return (await tx.scalar(statement.returning(User.id))) is not None


async def expel(tx: AsyncSession, clock: Clock, id: UUID) -> None:
    """Disabled, and to be erased at once, whatever was said before."""
    disabled = func.coalesce(User.disabled_at, db.now(clock))
    await tx.execute(update(User).where(User.id == id).values(disabled_at=disabled, erase_at=db.now(clock)))


async def displace(tx: AsyncSession, clock: Clock, id: UUID) -> None:
    """The same for who never proved their address, which is free from here on: nobody finds them by it any more."""
    await expel(tx, clock, id)
    await tx.execute(update(User).where(User.id == id).values(email_key=str(id)))


async def enable(tx: AsyncSession, id: UUID) -> bool:
    """Whoever was leaving stays, too. Whether there was anything to do."""
    out = or_(User.disabled_at.is_not(None), User.erase_at.is_not(None))
    statement = update(User).where(User.id == id, out).values(disabled_at=None, erase_at=None)
    return (await tx.scalar(statement.returning(User.id))) is not None


async def due(
    tx: AsyncSession, clock: Clock, *which: ColumnElement[bool], after: tuple[datetime, UUID] | None, batch: int
) -> Sequence[tuple[datetime, UUID]]:
    """(erase_at, id) of some of those whose time has come, in this order, from the first one after `after` on."""
    order = User.erase_at, User.id
    statement = select(*order).where(_is_due(clock), *which).order_by(*order).limit(batch)
    if after is not None:
        statement = statement.where(tuple_(*order) > after)
    return [(erase_at, id) for erase_at, id in await tx.execute(statement) if erase_at is not None]


async def lock_due(tx: AsyncSession, clock: Clock, id: UUID, *which: ColumnElement[bool]) -> bool:
    """Locks the person, where their time has come and nobody else has them: who signs in, or another worker."""
    statement = select(User.id).where(User.id == id, _is_due(clock), *which)
    return await tx.scalar(statement.with_for_update(skip_locked=True, of=User)) is not None


def _is_due(clock: Clock) -> ColumnElement[bool]:
    return User.erase_at <= select(db.now(clock)).scalar_subquery()


async def unverified(tx: AsyncSession, clock: Clock, *, lifetime: int, after: UUID, batch: int) -> Any:
    """Looks at the next `batch` people, in the order of their ids. Returns (last, ids): the last id it looked at, None
    at the end, and those who registered more than `lifetime` seconds ago and never proved their address, locked."""
    parameters = {"lifetime": lifetime, "after": after, "batch": batch, "offset": clock.offset}
    return (await tx.execute(_UNVERIFIED, parameters)).one()


async def find(tx: AsyncSession, text: str, *, limit: int) -> Sequence[User]:
    """Those whose address or name has the text in it, the newest first; not who lost their address."""
    whole_name = func.concat_ws(" ", User.first_name, User.last_name)
    columns = (User.email, User.email_key, whole_name)
    statement = select(User).where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    statement = statement.where(User.email_key.contains("@"))
    return (await tx.scalars(statement.order_by(User.id.desc()).limit(limit))).all()


async def at_domain(tx: AsyncSession, domain: str) -> Sequence[User]:
    """Everybody whose address is at this domain, in its canonical form."""
    return (await tx.scalars(select(User).where(User.email_key.endswith(f"@{domain}", autoescape=True)))).all()


async def remove(tx: AsyncSession, id: UUID) -> None:
    """With everything that hangs on it."""
    await tx.execute(delete(User).where(User.id == id))
