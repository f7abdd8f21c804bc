// ALG (EdDSA or RS256) signs the id_token of every refresh; access tokens stay opaque and stored, which is the default.
import { createServer } from "node:http";
import Provider from "oidc-provider";
import { pool, PostgresAdapter } from "./store.mjs";

const { PORT, ALG = "EdDSA" } = process.env;
const origin = `http://127.0.0.1:${PORT}`;
const day = 24 * 60 * 60;

const { rows: keys } = await pool.query("select jwk from keys where alg = $1", [ALG]);

const provider = new Provider(origin, {
  adapter: PostgresAdapter,
  clients: [
    {
      client_id: "bench",
      token_endpoint_auth_method: "none", // a public client with PKCE
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: [`${origin}/callback`],
      id_token_signed_response_alg: ALG,
    },
  ],
  clientAuthMethods: ["none"],
  cookies: { keys: ["a key for the benchmark only"] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  jwks: { keys: keys.map((row) => row.jwk) },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: 3600,
    AuthorizationCode: 60,
    Grant: 14 * day,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 14 * day,
    Session: 14 * day,
  },
});

// Stands for the pages on which a person would sign in and consent: it agrees at once, as the person of `login_hint`.
async function agree(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const accountId = params.login_hint;
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { login: { accountId }, consent });
}

const answer = provider.callback();

createServer((request, response) => {
  if (!request.url.startsWith("/interaction/")) return answer(request, response);
  return agree(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
}).listen(Number(PORT), "127.0.0.1");
