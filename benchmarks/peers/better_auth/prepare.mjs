import { getMigrations } from "better-auth/db/migration";
import { options, pool } from "./auth.mjs";

const { runMigrations } = await getMigrations(options("/api/auth", {}));
await runMigrations();
await pool.end();
