"""create sessions, signing keys and what all instances share"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2026_11_20_1201"
down_revision = "2026_11_20_1200"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True)),
        sa.Column("idle_lifetime", sa.Integer(), nullable=False),
        sa.Column("idle_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("absolute_expires_at", sa.DateTime(timezone=True)),
        sa.Column("methods", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("end_reason", sa.Text()),
        sa.Column("ended_by", sa.Uuid()),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("label", sa.Text()),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ck_sessions_ended_for_a_reason"),
        sa.CheckConstraint("idle_expires_at <= absolute_expires_at", name="ck_sessions_idle_before_absolute"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_ended_at", "sessions", ["ended_at"], postgresql_where=sa.text("ended_at IS NOT NULL"))
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True)),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
    )
    shared_state = op.create_table(
        "shared_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("keys_version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_shared_state_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_shared_state"),
    )
    op.bulk_insert(shared_state, [{"id": 1, "epoch": 1, "keys_version": 1}])


def downgrade() -> None:
    op.drop_table("shared_state")
    op.drop_table("signing_keys")
    op.drop_table("sessions")
