"""chain the audit events that are there"""

from alembic import op

revision = "2026_11_21_0906"
down_revision = "2026_11_21_0905"
branch_labels = None
depends_on = None

CLIENT_HASH = "sha256(convert_to(concat(new.salt, ' ', new.ip, ' ', new.user_agent), 'UTF8'))"
HASH = """
    sha256(before || int8send(last) || timestamptz_send(new.at) || new.client_hash
           || convert_to(concat(new.id, ' ', new.user_id, ' ', new.session_id, ' ', length(new.name), ' ', new.name,
                                ' ', length(new.request_id), ' ', new.request_id, ' ', new.data), 'UTF8'))
"""
CHAIN_WHAT_IS_THERE = f"""
    DO $$
    DECLARE
        new audit_events;
        which integer;
        last bigint := 0;
        before bytea := '';
    BEGIN
        FOR new IN SELECT * FROM audit_events WHERE chain IS NULL ORDER BY at, id LOOP
            IF which IS NULL THEN
                INSERT INTO audit_chains (seq, hash, cut_seq, cut_hash) VALUES (0, '', 0, '')
                RETURNING chain INTO which;
            END IF;
            last := last + 1;
            new.salt := gen_random_uuid();
            new.client_hash := {CLIENT_HASH};
            before := {HASH};
            UPDATE audit_events
               SET chain = which, seq = last, salt = new.salt, client_hash = new.client_hash, hash = before
             WHERE id = new.id;
        END LOOP;
        UPDATE audit_chains SET seq = last, hash = before WHERE chain = which;
    END $$
"""
"""In the order in which it happened, in a chain of its own, which nobody else sees before it is whole. It locks rows
that nobody changes, and no table."""


def upgrade() -> None:
    op.execute("SET LOCAL statement_timeout = 0")  # half a minute for each million events, and nobody waits for it
    op.execute(CHAIN_WHAT_IS_THERE)


def downgrade() -> None:
    """They stay chained: the columns go with the step that made them."""
