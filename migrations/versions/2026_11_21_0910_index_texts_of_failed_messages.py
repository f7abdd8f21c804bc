"""index the texts of failed messages, while others write"""

from alembic import op

revision = "2026_11_21_0910"
down_revision = "2026_11_21_0909"
branch_labels = None
depends_on = None

NAME = "ix_messages_finished_at_with_text"


def upgrade() -> None:
    """It waits for the transactions of others, who do not wait for it. One that broke off leaves an index that counts
    for nothing."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {NAME} ON messages (finished_at) WHERE state = 'failed' AND sealed IS NOT NULL"
        )


def downgrade() -> None:
    op.execute(f"DROP INDEX {NAME}")
