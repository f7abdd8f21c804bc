"""index audit chains, audit clients and people who leave, while others write"""

from alembic import op

revision = "2026_11_21_0907"
down_revision = "2026_11_21_0906"
branch_labels = None
depends_on = None

INDEXES = {
    "uq_audit_events_chain_seq": "CREATE UNIQUE INDEX CONCURRENTLY {} ON audit_events (chain, seq)",
    "ix_audit_events_at_with_client": "CREATE INDEX CONCURRENTLY {} ON audit_events (at) WHERE salt IS NOT NULL",
    "ix_users_erase_at": "CREATE INDEX CONCURRENTLY {} ON users (erase_at) WHERE erase_at IS NOT NULL",
}


def upgrade() -> None:
    """It waits for the transactions of others, who do not wait for it. One that broke off leaves an index that counts
    for nothing."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        for name, statement in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(statement.format(name))


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
