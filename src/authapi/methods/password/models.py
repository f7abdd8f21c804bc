"""Passwords, as Argon2id hashes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class Password(Table):
    __tablename__ = "passwords"

    credential_id: Mapped[UUID] = mapped_column(ForeignKey("credentials.id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[str]
    set_at: Mapped[datetime]
