"""create messages"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_0901"
down_revision = "2026_11_21_0900"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state IN ('queued', 'sending', 'sent', 'failed')", name="ck_messages_known_state"),
        sa.CheckConstraint(
            "(state IN ('sent', 'failed')) = (finished_at IS NOT NULL)", name="ck_messages_finished_at_the_end"
        ),
        sa.CheckConstraint("state <> 'sent' OR sealed IS NULL", name="ck_messages_wiped_when_sent"),
        sa.CheckConstraint(
            "state NOT IN ('queued', 'sending') OR sealed IS NOT NULL", name="ck_messages_something_to_send"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_messages_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
    )
    op.create_index("ix_messages_user_id", "messages", ["user_id"])
    op.create_index(
        "ix_messages_due_at", "messages", ["due_at"], postgresql_where=sa.text("state IN ('queued', 'sending')")
    )
    op.create_index(
        "ix_messages_finished_at", "messages", ["finished_at"], postgresql_where=sa.text("finished_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("messages")
