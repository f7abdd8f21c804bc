"""add profiles and leave-taking"""

from alembic import op

revision = "2026_11_21_0904"
down_revision = "2026_11_21_0903"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE users ADD COLUMN locale text, ADD COLUMN time_zone text, ADD COLUMN picture_url text, "
        "ADD COLUMN erase_at timestamptz"
    )


def downgrade() -> None:
    op.drop_column("users", "erase_at")
    op.drop_column("users", "picture_url")
    op.drop_column("users", "time_zone")
    op.drop_column("users", "locale")
