"""count refused sign-ins"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_0902"
down_revision = "2026_11_21_0901"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_failures",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True)),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("let_through", sa.Boolean()),
        sa.PrimaryKeyConstraint("key", name="pk_sign_in_failures"),
        postgresql_with={"fillfactor": 50},
    )


def downgrade() -> None:
    op.drop_table("sign_in_failures")
