"""What each person can prove themselves with."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class Credential(Table):
    """One way in which one person can prove who they are, at the first or the second step. What it takes is kept by
    the method, in a table keyed by this id."""

    __tablename__ = "credentials"
    __table_args__ = (
        Index("uq_credentials_one_password", "user_id", unique=True, postgresql_where="method = 'password'"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    method: Mapped[str]
    step: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]
