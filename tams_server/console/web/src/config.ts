// Where the server is, and what it says about itself before sign-in (console/settings.json).

export interface ConsoleSettings {
  api_version: string;
  authentication: "on" | "off";
  scope_prefix: string;
  scopes: Scope[];
  token_url: string;
  identity_provider: { issuer: string; client_id: string } | null;
}

export type Scope = "read" | "write" | "delete" | "admin";

// This module is in a file of <base>/console/, whatever path a proxy puts before it.
export const baseUrl = new URL("..", import.meta.url);

export function serverUrl(path: string): URL {
  return new URL(path.replace(/^\//, ""), baseUrl);
}

let loading: Promise<ConsoleSettings> | undefined;

export function loadSettings(): Promise<ConsoleSettings> {
  loading ??= fetch(serverUrl("console/settings.json"), { credentials: "omit" }).then((response) => {
    if (!response.ok) {
      loading = undefined;
      throw new Error(`the settings of the console cannot be read: status ${response.status}`);
    }
    return response.json() as Promise<ConsoleSettings>;
  });
  return loading;
}
