// An OpenID provider on loopback. Its options are a JSON object in the first argument:
// port, keys (private JSON Web Keys), algorithm (of access tokens), issuer (if not the URL here), redirect (a URI of the
// client "docs").
import { Provider } from "oidc-provider";

const options = JSON.parse(process.argv[2]);
const scopes = "tams-api/read tams-api/write tams-api/delete tams-api/admin";
const redirect = options.redirect ?? "http://127.0.0.1/";
const provider = new Provider(options.issuer ?? `http://127.0.0.1:${options.port}`, {
  jwks: { keys: options.keys },
  clients: [
    {
      client_id: "ingest",
      client_secret: "a secret of the client that ingests",
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
    },
    {
      client_id: "docs",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code"],
      redirect_uris: [redirect],
    },
  ],
  clientBasedCORS: () => true,
  scopes: ["openid", "offline_access", ...scopes.split(" ")],
  pkce: { required: () => true },
  enabledJWA: { authorizationSigningAlgValues: [options.algorithm] },
  findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  extraTokenClaims: (_context, token) => (token.accountId ? { groups: ["news_read"] } : undefined),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:tams",
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: scopes,
        audience: "tams",
        accessTokenTTL: 600,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: options.algorithm } },
      }),
    },
  },
});
provider.listen(options.port, "127.0.0.1", () => console.log("ready"));
