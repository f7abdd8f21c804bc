"""find old audit clients by their index"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_0909"
down_revision = "2026_11_21_0908"
branch_labels = None
depends_on = None

HEAD = """
    CREATE OR REPLACE FUNCTION audit_blank(age interval, batch integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp SET authapi.audit_change = 'allowed' AS """
BY_INDEX = """$$
    DECLARE
        cutoff CONSTANT timestamptz := clock_timestamp() - greatest(age, interval '7 days');
        blanked bigint;
    BEGIN
        UPDATE audit_events SET ip = '', user_agent = '', salt = NULL
         WHERE id IN (SELECT e.id FROM audit_events e
                       WHERE e.salt IS NOT NULL AND e.at < cutoff
                       ORDER BY e.at LIMIT batch FOR UPDATE SKIP LOCKED);
        GET DIAGNOSTICS blanked = ROW_COUNT;
        RETURN blanked;
    END $$
"""
"""The time is taken once: with one that is taken anew for each row, every event is read that still has a client."""

BEFORE = """$$
    DECLARE
        blanked bigint;
    BEGIN
        UPDATE audit_events SET ip = '', user_agent = '', salt = NULL
         WHERE id IN (SELECT e.id FROM audit_events e
                       WHERE e.salt IS NOT NULL AND e.at < clock_timestamp() - greatest(age, interval '7 days')
                       ORDER BY e.at LIMIT batch FOR UPDATE SKIP LOCKED);
        GET DIAGNOSTICS blanked = ROW_COUNT;
        RETURN blanked;
    END $$
"""


def upgrade() -> None:
    _replace(BY_INDEX)


def downgrade() -> None:
    _replace(BEFORE)


def _replace(body: str) -> None:
    """Who may call it stays as it is."""
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(sa.text(HEAD.format(schema=schema) + body))
