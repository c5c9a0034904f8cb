// An authorization server that others have made and the OpenID Foundation has
// certified, and beside it a protected MCP server, made with the official SDK:
//
//	PORT=<of the authorization server> node oidc.mjs <port of the MCP server> <life of access tokens, in seconds>
//
// It registers clients dynamically, wants PKCE, gives tokens for the MCP server
// only, and rotates refresh tokens: one that comes twice ends the login. Whoever
// visits it is Ada, and consents. The MCP server asks it about each token that it
// gets. GET /seen of the MCP server tells what has happened.
import express from "express";
import Provider, { errors, interactionPolicy } from "oidc-provider";
import { mcpAuthMetadataRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const [mcpPort, life] = process.argv.slice(2).map(Number);
const issuer = `http://127.0.0.1:${process.env.PORT}`;
const endpoint = `http://127.0.0.1:${mcpPort}/mcp`;
const scope = "notes:read";
const robot = { id: "robot", secret: "robot-secret" };
const inspector = { id: "inspector", secret: "inspector-secret" };

const seen = { registered: [], granted: {}, refused: [], consents: 0, access: new Set(), refresh: new Set() };

const policy = interactionPolicy.base();
const provider = new Provider(issuer, {
  clients: [
    { client_id: robot.id, client_secret: robot.secret, grant_types: ["client_credentials"], response_types: [], redirect_uris: [] },
    { client_id: inspector.id, client_secret: inspector.secret, grant_types: [], response_types: [], redirect_uris: [] },
  ],
  findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => {
        if (resource !== endpoint) throw new errors.InvalidTarget();
        return { scope, audience: endpoint, accessTokenTTL: life, accessTokenFormat: "opaque" };
      },
    },
    revocation: { enabled: true },
  },
  clientBasedCORS: () => false,
  rotateRefreshToken: true,
  pkce: { required: () => true },
  interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
  cookies: { keys: ["of this test only"] },
});
provider.on("registration_create.success", (_, client) => seen.registered.push(client.metadata()));
provider.on("grant.success", (ctx) => {
  const kind = ctx.oidc.params.grant_type;
  seen.granted[kind] = (seen.granted[kind] ?? 0) + 1;
});
provider.on("grant.error", (_, err) => seen.refused.push(err.error));
provider.on("authorization.error", (_, err) => seen.refused.push(err.error));
provider.on("registration_create.error", (_, err) => seen.refused.push(err.error));
provider.on("refresh_token.saved", (token) => seen.refresh.add(token.jti));

// What a page with a form would ask, answered.
async function consent(req, res) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(req, res);
  if (prompt.name === "login") {
    return provider.interactionFinished(req, res, { login: { accountId: "ada" } });
  }
  seen.consents++;
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(" "));
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(" "));
  }
  return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

// Introspection (RFC 7662), as a resource server does it.
async function introspect(token) {
  const answer = await fetch(`${issuer}/token/introspection`, {
    method: "POST",
    headers: { Authorization: `Basic ${btoa(`${inspector.id}:${inspector.secret}`)}` },
    body: new URLSearchParams({ token }),
  });
  return answer.json();
}

async function verifyAccessToken(token) {
  seen.access.add(token);
  const about = await introspect(token);
  if (!about.active || about.aud !== endpoint) throw new InvalidTokenError("This token is not for this server");
  return { token, clientId: about.client_id, scopes: about.scope?.split(" ") ?? [], expiresAt: about.exp, extra: { user: about.sub } };
}

function newServer() {
  const server = new McpServer({ name: "notes", version: "1.0.0" });
  server.registerTool("whoami", { description: "Says who has logged in" }, ({ authInfo }) => ({
    content: [{ type: "text", text: `${authInfo.extra.user ?? "nobody"} by ${authInfo.clientId === robot.id ? robot.id : "a registered client"}, ${authInfo.scopes}` }],
  }));
  return server;
}

const mcp = express();
mcp.get("/seen", async (_, res) => {
  const alive = async (tokens) => (await Promise.all([...tokens].map(introspect))).filter((about) => about.active).length;
  res.json({ ...seen, access: seen.access.size, refresh: seen.refresh.size, active: { access: await alive(seen.access), refresh: await alive(seen.refresh) } });
});

const server = express();
server.get("/interaction/:uid", (req, res, next) => consent(req, res).catch(next));
server.use(provider.callback());
server.listen(Number(process.env.PORT), "127.0.0.1", async () => {
  const oauthMetadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  mcp.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl: new URL(endpoint), scopesSupported: [scope] }));
  const resourceMetadataUrl = `http://127.0.0.1:${mcpPort}/.well-known/oauth-protected-resource/mcp`;
  mcp.all("/mcp", requireBearerAuth({ verifier: { verifyAccessToken }, requiredScopes: [scope], resourceMetadataUrl }), async (req, res) => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    await newServer().connect(transport);
    await transport.handleRequest(req, res);
  });
  mcp.listen(mcpPort, "127.0.0.1");
});
