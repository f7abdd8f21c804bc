"""add profiles and leave-taking"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_0904"
down_revision = "2026_11_21_0903"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("locale", sa.Text()))
    op.add_column("users", sa.Column("time_zone", sa.Text()))
    op.add_column("users", sa.Column("picture_url", sa.Text()))
    op.add_column("users", sa.Column("erase_at", sa.DateTime(timezone=True)))
    op.create_index("ix_users_erase_at", "users", ["erase_at"], postgresql_where=sa.text("erase_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_users_erase_at", "users")
    op.drop_column("users", "erase_at")
    op.drop_column("users", "picture_url")
    op.drop_column("users", "time_zone")
    op.drop_column("users", "locale")
