"""People."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class User(Table):
    """`email` is what mail goes to; `email_key` is the one canonical form that decides whose it is. `erase_at` is set
    while the person is leaving. Who lost their address to somebody who proved it has a key that is none."""

    __tablename__ = "users"
    __table_args__ = (Index("ix_users_erase_at", "erase_at", postgresql_where="erase_at IS NOT NULL"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)
    email_verified_at: Mapped[datetime | None]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    locale: Mapped[str | None]
    time_zone: Mapped[str | None]
    picture_url: Mapped[str | None]
    erase_at: Mapped[datetime | None]

    @property
    def is_displaced(self) -> bool:
        return "@" not in self.email_key
