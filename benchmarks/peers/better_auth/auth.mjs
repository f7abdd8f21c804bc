import pg from "pg";

const { PORT, DATABASE_URL, HASH } = process.env;

export const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });

// HASH=none: nothing is left of the password's cost. Otherwise scrypt, as it comes.
const NO_HASH = {
  hash: async (password) => `plain:${password}`,
  verify: async ({ hash, password }) => hash === `plain:${password}`,
};

export function options(basePath, session) {
  return {
    baseURL: `http://127.0.0.1:${PORT}`,
    basePath,
    secret: "of the benchmark only: MWy3mVyxCsZ6uJ4hV8Q2",
    trustedOrigins: ["http://app.example"],
    database: pool,
    emailAndPassword: { enabled: true, ...(HASH === "none" && { password: NO_HASH }) },
    session,
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    advanced: { database: { joins: true } }, // off by default; it saves a statement a session
  };
}
