"""make room for a session in the statement that starts it"""

from alembic import op

revision = "2026_11_21_0905"
down_revision = "2026_11_21_0904"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION end_surplus_sessions(person uuid, newest uuid, others integer, moved interval) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
    surplus uuid[];
BEGIN
    WITH ended AS (
        UPDATE sessions
           SET ended_at = clock_timestamp() + moved, end_reason = 'too_many_sessions', ended_by = newest
         WHERE ended_at IS NULL AND id IN (
               SELECT id FROM sessions
                WHERE user_id = person AND id <> newest AND ended_at IS NULL
                  AND idle_expires_at > clock_timestamp() + moved
                ORDER BY created_at DESC, id DESC OFFSET others)
        RETURNING id
    )
    SELECT coalesce(array_agg(id), '{}') INTO surplus FROM ended;
    RETURN surplus;
END
$$
"""
"""A function, because its statements see what was committed since the statement that calls it began. A sign-in locks
the person and then calls it, so it sees the sessions of those who held the lock before."""


def upgrade() -> None:
    op.execute(FUNCTION)


def downgrade() -> None:
    op.execute("DROP FUNCTION end_surplus_sessions")
