// A Postgres adapter after the ones in oidc-provider's example/adapters/contributed, with prepared statements.
import pg from "pg";

export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });

export const SCHEMA = `
  create table payloads (
    model text not null,
    id text not null,
    payload jsonb not null,
    grant_id text,
    user_code text,
    uid text,
    expires_at timestamptz,
    consumed_at timestamptz,
    primary key (model, id)
  );
  create index on payloads (grant_id) where grant_id is not null;
  create index on payloads (user_code) where user_code is not null;
  create index on payloads (uid) where uid is not null;
  create table keys (alg text primary key, jwk jsonb not null);
`;

const query = (name, text, values) => pool.query({ name, text, values });

const FOUND = "select payload, extract(epoch from consumed_at)::bigint as consumed from payloads";

const found = ({ rows: [row] }) =>
  row && (row.consumed ? { ...row.payload, consumed: Number(row.consumed) } : row.payload);

export class PostgresAdapter {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload, expiresIn) {
    const expires = expiresIn ? new Date(Date.now() + expiresIn * 1000) : null;
    await query(
      "upsert",
      `insert into payloads (model, id, payload, grant_id, user_code, uid, expires_at) values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (model, id) do update set payload = excluded.payload, grant_id = excluded.grant_id,
       user_code = excluded.user_code, uid = excluded.uid, expires_at = excluded.expires_at`,
      [this.model, id, payload, payload.grantId ?? null, payload.userCode ?? null, payload.uid ?? null, expires],
    );
  }

  async find(id) {
    return found(await query("find", `${FOUND} where model = $1 and id = $2`, [this.model, id]));
  }

  async findByUid(uid) {
    return found(await query("find_uid", `${FOUND} where model = $1 and uid = $2`, [this.model, uid]));
  }

  async findByUserCode(code) {
    return found(await query("find_code", `${FOUND} where model = $1 and user_code = $2`, [this.model, code]));
  }

  async consume(id) {
    await query("consume", "update payloads set consumed_at = now() where model = $1 and id = $2", [this.model, id]);
  }

  async destroy(id) {
    await query("destroy", "delete from payloads where model = $1 and id = $2", [this.model, id]);
  }

  async revokeByGrantId(grantId) {
    await query("revoke", "delete from payloads where model = $1 and grant_id = $2", [this.model, grantId]);
  }
}
