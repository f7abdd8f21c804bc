"""Sessions, one row each; the keys that sign access tokens; and what all instances share."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class Session(Table):
    """One sign-in on one device, with the hash of its one current refresh token.

    What a refresh changes carries no index and the pages have room, so that a refresh is a HOT update and nothing
    grows. `ended_at` is written once; an ended row stays as a tombstone that can explain its end.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("idle_expires_at <= absolute_expires_at", "idle_before_absolute"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", "ended_for_a_reason"),
        Index("ix_sessions_ended_at", "ended_at", postgresql_where="ended_at IS NOT NULL"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int] = mapped_column(BigInteger)
    token_hash: Mapped[bytes]
    salt: Mapped[bytes | None]
    created_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    rotated_at: Mapped[datetime]
    replayed_at: Mapped[datetime | None]
    idle_lifetime: Mapped[int] = mapped_column(Integer)
    idle_expires_at: Mapped[datetime]
    absolute_expires_at: Mapped[datetime | None]
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text))
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    ended_by: Mapped[UUID | None]
    ip: Mapped[str]
    user_agent: Mapped[str]
    label: Mapped[str | None]


class StoredKey(Table):
    """A signing key, sealed. Not yet activated: next. Not yet retired: current. Else previous."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    algorithm: Mapped[str]
    sealed: Mapped[bytes]
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class SharedState(Table):
    """One row that every instance reads twice a second: a change in it tells them what to read again."""

    __tablename__ = "shared_state"
    __table_args__ = (CheckConstraint("id = 1", "one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(BigInteger)
    keys_version: Mapped[int] = mapped_column(BigInteger)
