"""create one-time secrets"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_0900"
down_revision = "2026_11_20_1203"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "one_time_secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary()),
        sa.Column("binding", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("tries BETWEEN 0 AND 5", name="ck_one_time_secrets_few_tries"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_one_time_secrets_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_one_time_secrets"),
        sa.UniqueConstraint("digest", name="uq_one_time_secrets_digest"),
    )
    for name, columns, condition in (
        ("ix_one_time_secrets_binding", ["binding", "purpose"], "code_digest IS NOT NULL"),
        ("ix_one_time_secrets_user_id", ["user_id"], "user_id IS NOT NULL"),
        ("ix_one_time_secrets_spent_at", ["spent_at"], "spent_at IS NOT NULL"),
        ("ix_one_time_secrets_expires_at", ["expires_at"], None),
    ):
        where = sa.text(condition) if condition else None
        op.create_index(name, "one_time_secrets", columns, postgresql_where=where)


def downgrade() -> None:
    op.drop_table("one_time_secrets")
