"""chain audit events"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_21_0903"
down_revision = "2026_11_21_0902"
branch_labels = None
depends_on = None

CLIENT_HASH = "sha256(convert_to(concat(new.salt, ' ', new.ip, ' ', new.user_agent), 'UTF8'))"
HASH = """
    sha256({before} || int8send({seq}) || timestamptz_send(new.at) || new.client_hash
           || convert_to(concat(new.id, ' ', new.user_id, ' ', new.session_id, ' ', length(new.name), ' ', new.name,
                                ' ', length(new.request_id), ' ', new.request_id, ' ', new.data), 'UTF8'))
"""
"""What `audit/chains.py` computes too. Lengths before what may hold any character, so that no two events read alike."""

CHAIN = f"""
    CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, {{schema}}, pg_temp AS $$
    BEGIN
        new.salt := gen_random_uuid();
        new.client_hash := {CLIENT_HASH};
        LOOP
            UPDATE audit_chains AS c
               SET seq = c.seq + 1, hash = {HASH.format(before="c.hash", seq="c.seq + 1")}
             WHERE c.chain = (SELECT free.chain FROM audit_chains free ORDER BY 1 LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING c.chain, c.seq, c.hash INTO new.chain, new.seq, new.hash;
            EXIT WHEN FOUND;
            INSERT INTO audit_chains (seq, hash, cut_seq, cut_hash) VALUES (0, '', 0, '');
        END LOOP;
        RETURN new;
    END $$
"""
"""Takes whichever chain nobody holds, and makes another one when all are held: it never waits, so that nothing queues
behind somebody's commit and no order of locks can deadlock."""

KEEP = """
    CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
        IF current_setting('authapi.audit_change', true) IS DISTINCT FROM 'allowed' THEN
            RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NULL;
    END $$
"""

CUT = """
    CREATE FUNCTION audit_cut(which integer, age interval, batch integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp SET authapi.audit_change = 'allowed' AS $$
    DECLARE
        cutoff CONSTANT timestamptz := clock_timestamp() - greatest(age, interval '30 days');
        head audit_chains;
        last record;
        deleted bigint;
    BEGIN
        SELECT * INTO head FROM audit_chains c WHERE c.chain = which FOR UPDATE;
        SELECT old.seq, old.hash INTO last
          FROM (SELECT e.seq, e.hash, bool_and(e.at < cutoff) OVER (ORDER BY e.seq) AS is_old
                  FROM audit_events e
                 WHERE e.chain = which AND e.seq > head.cut_seq
                   AND e.seq <= (SELECT max(a.seq) FROM audit_anchors a WHERE a.chain = which AND a.at < cutoff)
                 ORDER BY e.seq LIMIT batch) old
         WHERE old.is_old ORDER BY old.seq DESC LIMIT 1;
        IF NOT FOUND THEN
            RETURN 0;
        END IF;
        DELETE FROM audit_events e WHERE e.chain = which AND e.seq > head.cut_seq AND e.seq <= last.seq;
        GET DIAGNOSTICS deleted = ROW_COUNT;
        DELETE FROM audit_anchors a WHERE a.chain = which AND a.seq < last.seq;
        UPDATE audit_chains c SET cut_seq = last.seq, cut_hash = last.hash WHERE c.chain = which;
        RETURN deleted;
    END $$
"""
"""Deletes from the beginning of a chain what is older than `age`, and never what is younger than 30 days."""

BLANK = """
    CREATE FUNCTION audit_blank(age interval, batch integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp SET authapi.audit_change = 'allowed' AS $$
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
"""Takes address and user agent off old events. The chain covers a salted hash of them, and the salt goes with them."""

FORGET = """
    CREATE FUNCTION audit_forget(person uuid) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp SET authapi.audit_change = 'allowed' AS $$
    DECLARE
        blanked bigint;
    BEGIN
        IF EXISTS (SELECT FROM users u WHERE u.id = person) THEN
            RAISE EXCEPTION 'only those who are gone are forgotten' USING ERRCODE = 'insufficient_privilege';
        END IF;
        UPDATE audit_events SET ip = '', user_agent = '', salt = NULL WHERE user_id = person AND salt IS NOT NULL;
        GET DIAGNOSTICS blanked = ROW_COUNT;
        RETURN blanked;
    END $$
"""

GUARDED = ("audit_cut(integer, interval, integer)", "audit_blank(interval, integer)", "audit_forget(uuid)")


def upgrade() -> None:
    """What is written from here on is chained. What there is already is chained by a later step, which takes longer
    than a table may be locked; it is from the last two statements on."""
    _create_tables()
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for function in (CHAIN, KEEP, CUT, BLANK, FORGET):
        op.execute(sa.text(function.format(schema=schema)))
    for function in GUARDED:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
    op.execute(
        "ALTER TABLE audit_events ADD COLUMN chain integer, ADD COLUMN seq bigint, ADD COLUMN salt uuid, "
        "ADD COLUMN client_hash bytea, ADD COLUMN hash bytea"
    )
    op.execute(
        "CREATE TRIGGER tg_audit_events_chain BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_chain()"
    )


def _create_tables() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("chain", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("cut_seq", sa.BigInteger(), nullable=False),
        sa.Column("cut_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_audit_chains"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "audit_anchors",
        sa.Column("chain", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "day", name="pk_audit_anchors"),
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER tg_audit_events_chain ON audit_events")
    for function in (*GUARDED, "audit_keep()", "audit_chain()"):
        op.execute(f"DROP FUNCTION {function}")
    for name in ("chain", "seq", "salt", "client_hash", "hash"):
        op.drop_column("audit_events", name)
    op.drop_table("audit_anchors")
    op.drop_table("audit_chains")
