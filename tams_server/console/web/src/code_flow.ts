// Sign-in at an identity provider: authorisation code with PKCE (RFC 7636), loaded when it is used.
import * as oauth from "oauth4webapi";
import type { ConsoleSettings, Scope } from "./config";

async function provider(settings: ConsoleSettings): Promise<[oauth.AuthorizationServer, oauth.Client]> {
  if (!settings.identity_provider) throw new Error("this server knows no identity provider");
  if (!globalThis.crypto?.subtle) {
    throw new Error("browsers allow this way to sign in over HTTPS and on localhost only");
  }
  const { issuer, client_id } = settings.identity_provider;
  const url = new URL(issuer);
  const options = insecure(url);
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options));
  return [server, { client_id, token_endpoint_auth_method: "none" }];
}

// Identity providers without TLS are for tests on one machine.
function insecure(url: URL): { [oauth.allowInsecureRequests]: boolean } {
  return { [oauth.allowInsecureRequests]: ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname) };
}

export async function beginCodeFlow(
  settings: ConsoleSettings,
  scopes: readonly Scope[],
  redirectUrl: string,
): Promise<{ url: string; verifier: string; state: string }> {
  const [server, client] = await provider(settings);
  if (!server.authorization_endpoint) throw new Error("the identity provider has no authorization endpoint");
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint);
  const wanted = ["openid", ...scopes.map((scope) => settings.scope_prefix + scope)];
  const parameters = {
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: redirectUrl,
    scope: wanted.join(" "),
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, verifier, state };
}

/** Returns the access token. returned: the URL that the provider sent the person back to. */
export async function finishCodeFlow(
  settings: ConsoleSettings,
  begun: { verifier: string; state: string },
  returned: URL,
  redirectUrl: string,
): Promise<string> {
  const [server, client] = await provider(settings);
  const parameters = oauth.validateAuthResponse(server, client, returned, begun.state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    redirectUrl,
    begun.verifier,
    insecure(new URL(server.issuer)),
  );
  const result = await oauth.processAuthorizationCodeResponse(server, client, response);
  return result.access_token;
}
