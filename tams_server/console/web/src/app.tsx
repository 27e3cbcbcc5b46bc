// The frame around every page: navigation, the way to a resource by its id, theme, session and messages.
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { serverUrl, type Scope } from "./config";
import { SignIn } from "./pages/sign_in";
import { href, matchPath, useRoute } from "./router";
import type { PageProps } from "./page_props";
import { NAVIGATION, ROUTES, type NavigationItem } from "./routes";
import { mayUse, resumeSession, sessionState, signOut, useSession } from "./session";
import { Shortcuts, useShortcuts } from "./shortcuts";
import { useStore } from "./store";
import { chooseTheme, storedTheme, type Theme } from "./theme";
import { GoTo } from "./go_to";
import { Icon } from "./ui/icons";
import { Page } from "./ui/page";
import { Empty, ErrorBox, Loading } from "./ui/states";
import { Toasts } from "./ui/toast";

export function App() {
  const state = useStore(sessionState);
  useEffect(() => void resumeSession(), []);
  if (state.status === "starting") return <Loading />;
  return (
    <>
      {state.status === "signed-in" ? <Shell /> : <SignIn message={state.message} />}
      <Toasts />
    </>
  );
}

function Shell() {
  const route = useRoute();
  const [menu, setMenu] = useState(false);
  const [help, setHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  const items = useNavigation().flatMap((group) => group.items);
  useShortcuts(items, () => setHelp(true));
  const shown = useRef(route.path);
  useEffect(() => {
    setMenu(false);
    if (shown.current === route.path) return;
    shown.current = route.path;
    main.current?.focus({ preventScroll: true });
  }, [route.path]);
  return (
    <div class={menu ? "shell menu-open" : "shell"}>
      <a class="skip-link" href="#main" onClick={(event) => {
        event.preventDefault(); // the part after # is the route
        main.current?.focus();
      }}>
        Skip to the content
      </a>
      <header class="topbar">
        <button
          type="button"
          class="icon-button menu-button"
          aria-label={menu ? "Close the menu" : "Open the menu"}
          aria-expanded={menu}
          aria-controls="navigation"
          onClick={() => setMenu(!menu)}
        >
          <Icon name={menu ? "close" : "menu"} />
        </button>
        <a class="brand" href={href("/")}>
          <span class="brand-mark" aria-hidden="true" />
          TAMS
        </a>
        <GoTo />
        <div class="topbar-tools">
          <button type="button" class="icon-button wide-only" aria-label="Keyboard shortcuts" onClick={() => setHelp(true)}>
            <Icon name="keyboard" />
          </button>
          <ThemeButton />
          <SessionMenu />
        </div>
      </header>
      <Navigation path={route.path} onChosen={() => setMenu(false)} />
      <div class="backdrop" onClick={() => setMenu(false)} />
      <main id="main" ref={main} tabIndex={-1}>
        <CurrentPage />
      </main>
      {help && <Shortcuts items={items} onClose={() => setHelp(false)} />}
    </div>
  );
}

/** What the caller lacks for a page, by the scopes of the navigation; null if nothing. */
function useMissingScopes(path: string): { title: string; scopes: readonly Scope[]; has: Scope[] } | null {
  const session = useSession();
  const items = NAVIGATION.flatMap((group) => group.items);
  const item = items.find((each) => path === each.path || (each.path !== "/" && path.startsWith(`${each.path}/`)));
  if (!item?.scopes || mayUse(session, item.scopes)) return null;
  return { title: item.title, scopes: item.scopes, has: session.scopes };
}

function useNavigation(): { title: string; items: NavigationItem[] }[] {
  const session = useSession();
  const groups = NAVIGATION.map(({ title, items }) => ({
    title,
    items: items.filter((item) => !item.scopes || mayUse(session, item.scopes)),
  }));
  return groups.filter((group) => group.items.length > 0);
}

function Navigation({ path, onChosen }: { path: string; onChosen: () => void }) {
  return (
    <nav id="navigation" class="sidebar" aria-label="Console">
      {useNavigation().map(({ title, items }) => (
        <div key={title} class="nav-group">
          <h2 class="nav-title">{title}</h2>
          <ul>
            {items.map((item) => {
              const current = item.path === "/" ? path === "/" : path === item.path || path.startsWith(`${item.path}/`);
              return (
                <li key={item.path}>
                  <a href={href(item.path)} class="nav-link" onClick={onChosen} aria-current={current ? "page" : undefined}>
                    <Icon name={item.icon} />
                    {item.title}
                  </a>
                </li>
              );
            })}
          </ul>
        </div>
      ))}
      <div class="nav-group nav-end">
        <a class="nav-link" href={serverUrl("docs").href}>
          <Icon name="link" />
          API documentation
        </a>
        <a class="nav-link" href={serverUrl("console/licences.txt").href}>
          <Icon name="profiles" />
          Licences
        </a>
      </div>
    </nav>
  );
}

type Loaded = { pattern: string; Component?: ComponentType<PageProps>; error?: unknown };

function CurrentPage() {
  const { path, query } = useRoute();
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const found = ROUTES.find((each) => matchPath(each.pattern, path));
  const pattern = found?.pattern;
  const missing = useMissingScopes(path);
  useEffect(() => {
    if (!found || missing) return;
    let wanted = true;
    found.load().then(
      (module) => wanted && setLoaded({ pattern: found.pattern, Component: module.default }),
      (error: unknown) => wanted && setLoaded({ pattern: found.pattern, error }),
    );
    return () => {
      wanted = false;
    };
  }, [pattern, missing === null]);
  if (!found) return <Empty title="There is no such page"><a href={href("/")}>Overview</a></Empty>;
  if (missing) {
    return (
      <Page title={missing.title}>
        <Empty title={`This page needs the scope ${missing.scopes.join(" or ")}`}>Your scopes: {missing.has.join(", ") || "none"}.</Empty>
      </Page>
    );
  }
  if (loaded?.pattern !== pattern) return <Loading />;
  // After an upgrade of the server its pages have other names, which only a new load of the console knows.
  if (!loaded?.Component) return <ErrorBox error={loaded?.error} retry={() => location.reload()} />;
  return <loaded.Component key={path} params={matchPath(found.pattern, path) ?? {}} query={query} />;
}

const THEMES: readonly (readonly [Theme, string, "system" | "moon" | "sun"])[] = [
  ["system", "as the system", "system"],
  ["dark", "dark", "moon"],
  ["light", "light", "sun"],
];

function ThemeButton() {
  const [theme, setTheme] = useState(storedTheme);
  const index = THEMES.findIndex(([each]) => each === theme);
  const [, name, icon] = THEMES[index] ?? THEMES[0]!;
  const [next] = THEMES[(index + 1) % THEMES.length] ?? THEMES[0]!;
  const title = `Theme: ${name}`;
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={title}
      title={title}
      onClick={() => {
        chooseTheme(next);
        setTheme(next);
      }}
    >
      <Icon name={icon} />
    </button>
  );
}

function SessionMenu() {
  const session = useSession();
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const inside = event.target instanceof Node && details.current?.contains(event.target);
      if (details.current && (!inside || (event as KeyboardEvent).key === "Escape")) details.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  return (
    <details ref={details} class="session-menu">
      <summary aria-label={`Signed in as ${session.name}`}>
        <Icon name="user" />
        <span class="wide-only session-name">{session.name}</span>
      </summary>
      <div class="menu-panel">
        <p class="menu-name">{session.name}</p>
        <p class="muted">
          {session.scopes.length > 0 ? `Scopes: ${session.scopes.join(", ")}` : "No scopes"}
          {session.restricted && ", within the classes of your groups"}
        </p>
        {session.groups.length > 0 && <p class="muted">Groups: {session.groups.join(", ")}</p>}
        {session.authorization !== null && (
          <button type="button" class="button" onClick={() => signOut()}>
            Sign out
          </button>
        )}
      </div>
    </details>
  );
}
