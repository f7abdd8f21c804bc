// /api/auth asks the database about every session; /cached believes a signed cookie (`cookieCache`), here for a day
// instead of five minutes, so that no long run falls back to the database unnoticed.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { toNodeHandler } from "better-auth/node";
import { options } from "./auth.mjs";

const plain = toNodeHandler(betterAuth(options("/api/auth", {})));
const cached = toNodeHandler(betterAuth(options("/cached", { cookieCache: { enabled: true, maxAge: 24 * 60 * 60 } })));

createServer((request, response) =>
  (request.url.startsWith("/cached/") ? cached : plain)(request, response),
).listen(Number(process.env.PORT), "127.0.0.1");
