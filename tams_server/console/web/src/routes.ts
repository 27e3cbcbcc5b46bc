// The pages of the console: their paths, and their places in the navigation. Each is loaded when it is opened.
import type { ComponentType } from "preact";
import type { Scope } from "./config";
import type { IconName } from "./ui/icons";

export interface PageProps {
  params: Record<string, string>; // of the path
  query: URLSearchParams;
}

export interface PageModule {
  default: ComponentType<PageProps>;
}

export interface PageRoute {
  pattern: string;
  load: () => Promise<PageModule>;
}

export interface NavigationItem {
  path: string;
  title: string;
  icon: IconName;
  key?: string; // g and this letter open it
  scopes?: readonly Scope[]; // shown to callers with one of them; all callers if absent
}

export const ROUTES: readonly PageRoute[] = [
  { pattern: "/", load: () => import("./pages/overview") },
  { pattern: "/sources", load: () => import("./pages/sources") },
  { pattern: "/sources/:id", load: () => import("./pages/source") },
  { pattern: "/flows", load: () => import("./pages/flows") },
];

export const NAVIGATION: readonly { title: string; items: readonly NavigationItem[] }[] = [
  {
    title: "Catalogue",
    items: [
      { path: "/", title: "Overview", icon: "overview", key: "o" },
      { path: "/sources", title: "Sources", icon: "sources", key: "s", scopes: ["read"] },
      { path: "/flows", title: "Flows", icon: "flows", key: "f", scopes: ["read"] },
    ],
  },
  {
    title: "Operation",
    items: [],
  },
];
