"""keep audit events as they are, each in its chain"""

from alembic import op

revision = "2026_11_21_0908"
down_revision = "2026_11_21_0907"
branch_labels = None
depends_on = None

CHAINED = ("chain", "seq", "client_hash", "hash")
CHECK = "ck_audit_events_chained"


def upgrade() -> None:
    """The table is read through under a lock that keeps nobody out; what it proves is then not read for again."""
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE audit_events DROP CONSTRAINT IF EXISTS {CHECK}")
        condition = " AND ".join(f"{name} IS NOT NULL" for name in CHAINED)
        op.execute(f"ALTER TABLE audit_events ADD CONSTRAINT {CHECK} CHECK ({condition}) NOT VALID")
        op.execute(f"ALTER TABLE audit_events VALIDATE CONSTRAINT {CHECK}")
    needed = ", ".join(f"ALTER COLUMN {name} SET NOT NULL" for name in CHAINED)
    op.execute(f"ALTER TABLE audit_events {needed}")
    op.execute(f"ALTER TABLE audit_events DROP CONSTRAINT {CHECK}")
    op.execute(
        "CREATE OR REPLACE TRIGGER tg_audit_events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_keep()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tg_audit_events_keep ON audit_events")
    for name in CHAINED:
        op.alter_column("audit_events", name, nullable=True)
