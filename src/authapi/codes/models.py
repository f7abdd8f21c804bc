"""One-time secrets."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class OneTimeSecret(Table):
    """`digest` is SHA-256 of the token, which has 256 random bits; `code_digest` an HMAC of the six digits, which have
    20: without the server's key nobody finds them by trying. `binding` is whom or what the code is for. `data` travels
    with the secret, sealed."""

    __tablename__ = "one_time_secrets"
    __table_args__ = (
        CheckConstraint("tries BETWEEN 0 AND 5", "few_tries"),
        Index("ix_one_time_secrets_binding", "binding", "purpose", postgresql_where="code_digest IS NOT NULL"),
        Index("ix_one_time_secrets_user_id", "user_id", postgresql_where="user_id IS NOT NULL"),
        Index("ix_one_time_secrets_spent_at", "spent_at", postgresql_where="spent_at IS NOT NULL"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    code_digest: Mapped[bytes | None]
    binding: Mapped[bytes]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    tries: Mapped[int] = mapped_column(SmallInteger)
    data: Mapped[bytes | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    spent_at: Mapped[datetime | None]
