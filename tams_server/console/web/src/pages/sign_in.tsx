// Sign-in: by token, as a client with its secret, at the identity provider, or with a user name and password.
import { useEffect, useState } from "preact/hooks";
import { loadSettings, type ConsoleSettings, type Scope } from "../config";
import { signIn, signInAsClient, signInWithPassword, startCodeFlow } from "../session";
import { CheckField, Form, TextField } from "../ui/form";
import { DocsLink, ErrorBox, Loading } from "../ui/states";

type Way = "provider" | "token" | "client" | "password";

const TITLES: Record<Way, string> = {
  provider: "Identity provider",
  token: "Token",
  client: "Client",
  password: "Password",
};

const SCOPE_TEXTS: Record<Scope, string> = {
  read: "Read metadata and media",
  write: "Create and change",
  delete: "Delete flows and segments",
  admin: "Administer the service",
};

export function SignIn({ message }: { message?: string | undefined }) {
  const [settings, setSettings] = useState<ConsoleSettings | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [chosen, setWay] = useState<Way | null>(null);
  const [byKey, setByKey] = useState(false); // the focus stays on the tabs
  useEffect(() => {
    document.title = "Sign in – TAMS console";
    loadSettings().then(setSettings, setProblem);
  }, []);
  const ways: Way[] = [...(settings?.identity_provider ? (["provider"] as const) : []), "token", "client", "password"];
  const way = chosen ?? ways[0] ?? "token";
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <div class="sign-in-brand">
          <span class="brand-mark" aria-hidden="true" />
          <div>
            <h1>TAMS console</h1>
            <p class="muted">{location.host}</p>
          </div>
        </div>
        {message && <ErrorBox error={message} />}
        {problem !== null && <ErrorBox error={problem} />}
        {!settings && problem === null && <Loading />}
        {settings && (
          <>
            <div class="tabs" role="tablist" aria-label="Way to sign in" onKeyDown={(event) => choose(event, ways, way, setWay) && setByKey(true)}>
              {ways.map((each) => (
                <button
                  key={each}
                  type="button"
                  role="tab"
                  id={`tab-${each}`}
                  aria-selected={each === way}
                  aria-controls="sign-in-panel"
                  tabIndex={each === way ? 0 : -1}
                  class="tab"
                  onClick={() => {
                    setByKey(false);
                    setWay(each);
                  }}
                >
                  {TITLES[each]}
                </button>
              ))}
            </div>
            <div id="sign-in-panel" role="tabpanel" aria-labelledby={`tab-${way}`}>
              <Panel key={way} way={way} settings={settings} autofocus={!byKey} />
            </div>
            <p class="field-hint">
              The credential stays in this tab until it is closed. <DocsLink>API documentation</DocsLink>
            </p>
          </>
        )}
      </div>
    </main>
  );
}

/** Choose among the tabs by arrow keys, Home and End. Returns whether a key did. */
function choose(event: KeyboardEvent, ways: readonly Way[], way: Way, setWay: (way: Way) => void): boolean {
  const at = ways.indexOf(way);
  const last = ways.length - 1;
  const target = {
    ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last,
  }[event.key];
  const chosen = target === undefined ? undefined : ways[target];
  if (chosen === undefined) return false;
  event.preventDefault();
  setWay(chosen);
  document.getElementById(`tab-${chosen}`)?.focus();
  return true;
}

function Panel({ way, settings, autofocus }: { way: Way; settings: ConsoleSettings; autofocus: boolean }) {
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(["read"]);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      if (way === "token") await signIn(`Bearer ${secret.trim().replace(/^bearer\s+/i, "")}`);
      else if (way === "client") await signInAsClient(settings, name, secret);
      else if (way === "password") await signInWithPassword(name, secret);
      else await startCodeFlow(settings, scopes);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  const secretName = { token: "Token", client: "Client secret", password: "Password", provider: "" }[way];
  return (
    <Form onSubmit={() => void submit()}>
      {way === "provider" && (
        <fieldset class="field-set">
          <legend>Rights to ask for at {settings.identity_provider?.issuer}</legend>
          {settings.scopes.map((scope) => (
            <CheckField
              key={scope}
              label={SCOPE_TEXTS[scope]}
              checked={scopes.includes(scope)}
              onChange={(on) => setScopes(on ? [...scopes, scope] : scopes.filter((each) => each !== scope))}
            />
          ))}
        </fieldset>
      )}
      {(way === "client" || way === "password") && (
        <TextField
          label={way === "client" ? "Client id" : "User name"}
          value={name}
          onInput={setName}
          autocomplete="username"
          required
          autofocus={autofocus}
        />
      )}
      {way !== "provider" && (
        <TextField
          label={secretName}
          type="password"
          value={secret}
          onInput={setSecret}
          autocomplete="current-password"
          required
          autofocus={autofocus && way === "token"}
        />
      )}
      {error !== null && <ErrorBox error={error} />}
      <button type="submit" class="button primary wide" disabled={busy}>
        {way === "provider" ? "Go to the identity provider" : "Sign in"}
      </button>
    </Form>
  );
}
