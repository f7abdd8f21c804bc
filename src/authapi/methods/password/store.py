"""The SQL of passwords."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from authapi.core import db
from authapi.core.context import Context
from authapi.core.driver import Driver
from authapi.credentials.models import Credential
from authapi.methods.password.models import Password
from authapi.users.models import User

METHOD = "password"


_BY_EMAIL = """
    SELECT u.id AS user_id, p.credential_id, p.hash
      FROM users AS u LEFT JOIN credentials AS c ON c.user_id = u.id AND c.method = 'password'
                      LEFT JOIN passwords AS p ON p.credential_id = c.id
     WHERE u.email_key = $1
"""


async def by_email(driver: Driver, email_key: str) -> Any:
    """A row (user_id, credential_id, hash), its hash None without a password; or None where nobody has the address."""
    return await driver.row(_BY_EMAIL, email_key)


async def still(tx: AsyncSession, user_id: UUID, hash: str) -> User | None:
    """The person, locked, if they are not disabled and this is still the hash of their password.

    The password is locked too, so that a change in flight is waited for and seen.
    """
    statement = (
        select(User)
        .join(Credential, (Credential.user_id == User.id) & (Credential.method == METHOD))
        .join(Password, Password.credential_id == Credential.id)
        .where(User.id == user_id, User.disabled_at.is_(None), Password.hash == hash)
        .with_for_update(of=[User, Password], key_share=True)
    )
    return await tx.scalar(statement)


async def add(ctx: Context, tx: AsyncSession, credential_id: UUID, hash: str) -> None:
    values = {"credential_id": credential_id, "hash": hash, "set_at": db.now(ctx.clock)}
    await tx.execute(insert(Password).values(values))


async def rehash(tx: AsyncSession, credential_id: UUID, *, old: str, new: str) -> None:
    """Only while the old one still stands: a change of password in between wins."""
    await tx.execute(
        update(Password).where(Password.credential_id == credential_id, Password.hash == old).values(hash=new)
    )
