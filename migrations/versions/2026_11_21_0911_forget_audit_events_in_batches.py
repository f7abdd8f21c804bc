"""forget audit events in batches"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_0911"
down_revision = "2026_11_21_0910"
branch_labels = None
depends_on = None

ARGUMENTS = "uuid, timestamptz, integer, interval"
FORGET = """
    CREATE FUNCTION audit_forget(person uuid, since timestamptz, batch integer, moved interval) RETURNS timestamptz
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
    SET authapi.audit_change = 'allowed' AS $$
    DECLARE
        beginning CONSTANT timestamptz := coalesce(since, '-infinity');
        due CONSTANT timestamptz := clock_timestamp() + moved;
        looked bigint;
        last timestamptz;
    BEGIN
        IF EXISTS (SELECT FROM users u WHERE u.id = person AND (u.erase_at <= due) IS NOT TRUE) THEN
            RAISE EXCEPTION 'only those who are gone or due to go are forgotten'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        SELECT count(*), max(page.at) INTO looked, last
          FROM (SELECT e.at FROM audit_events e
                 WHERE e.user_id = person AND e.at > beginning ORDER BY e.at LIMIT batch) page;
        UPDATE audit_events e SET ip = '', user_agent = '', salt = NULL
         WHERE e.user_id = person AND e.salt IS NOT NULL AND e.at > beginning AND e.at <= last;
        RETURN CASE WHEN looked = batch THEN last END;
    END $$
"""
"""Looks at the next `batch` events of a person in the order of their times, or at all without one; returns the time of
the last, NULL at the end. So no call reads more than that, whatever was blanked before. The function that takes all at
once stays for the code that knows no other."""


def upgrade() -> None:
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(sa.text(FORGET.format(schema=schema)))
    op.execute(f"REVOKE ALL ON FUNCTION audit_forget({ARGUMENTS}) FROM PUBLIC")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION audit_forget({ARGUMENTS})")
