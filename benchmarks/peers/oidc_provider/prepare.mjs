import { generateKeyPairSync } from "node:crypto";
import { pool, SCHEMA } from "./store.mjs";

const PAIRS = {
  EdDSA: () => generateKeyPairSync("ed25519"),
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
};

await pool.query(SCHEMA);
for (const [alg, pair] of Object.entries(PAIRS)) {
  const jwk = { ...pair().privateKey.export({ format: "jwk" }), alg, use: "sig" };
  await pool.query("insert into keys (alg, jwk) values ($1, $2)", [alg, jwk]);
}
await pool.end();
