"""Messages on their way to people."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from authapi.core.db import Table


class StoredMessage(Table):
    """`sealed` holds what the text is made of, codes and links among it; it is gone once the message is sent.

    `due_at` is when it is tried next, and for one that is being sent when that must have come to an end. `deaths`
    counts the tries that ended with their worker. It is given up at `expires_at`. With a person their messages go.
    """

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sending', 'sent', 'failed')", name="known_state"),
        CheckConstraint("(state IN ('sent', 'failed')) = (finished_at IS NOT NULL)", name="finished_at_the_end"),
        CheckConstraint("state <> 'sent' OR sealed IS NULL", name="wiped_when_sent"),
        CheckConstraint("state NOT IN ('queued', 'sending') OR sealed IS NOT NULL", name="something_to_send"),
        Index("ix_messages_due_at", "due_at", postgresql_where=text("state IN ('queued', 'sending')")),
        Index("ix_messages_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index(
            "ix_messages_finished_at_with_text",
            "finished_at",
            postgresql_where=text("state = 'failed' AND sealed IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    recipient: Mapped[str]
    locale: Mapped[str]
    sealed: Mapped[bytes | None]
    state: Mapped[str]
    tries: Mapped[int]
    deaths: Mapped[int]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
