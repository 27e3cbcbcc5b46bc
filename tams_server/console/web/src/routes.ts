// The pages of the console: their paths, and their places in the navigation. Each is loaded when it is opened.
import type { ComponentType } from "preact";
import type { Scope } from "./config";
import type { PageProps } from "./page_props";
import type { IconName } from "./ui/icons";

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
  { pattern: "/flows/:id", load: () => import("./pages/flow") },
  { pattern: "/objects", load: () => import("./pages/objects") },
  { pattern: "/objects/:id", load: () => import("./pages/object") },
  { pattern: "/storage", load: () => import("./pages/storage") },
  { pattern: "/usage", load: () => import("./pages/usage") },
  { pattern: "/profiles", load: () => import("./pages/profiles") },
  { pattern: "/profiles/:id", load: () => import("./pages/profiles") },
  { pattern: "/webhooks", load: () => import("./pages/webhooks") },
  { pattern: "/jobs", load: () => import("./pages/jobs") },
  { pattern: "/deletions", load: () => import("./pages/deletions") },
  { pattern: "/compliance", load: () => import("./pages/compliance") },
  { pattern: "/audit", load: () => import("./pages/audit") },
];

export const NAVIGATION: readonly { title: string; items: readonly NavigationItem[] }[] = [
  {
    title: "Catalogue",
    items: [
      { path: "/", title: "Overview", icon: "overview", key: "o" },
      { path: "/sources", title: "Sources", icon: "sources", key: "s", scopes: ["read"] },
      { path: "/flows", title: "Flows", icon: "flows", key: "f", scopes: ["read"] },
      { path: "/objects", title: "Objects", icon: "objects", key: "b", scopes: ["read"] },
      { path: "/profiles", title: "Profiles", icon: "profiles", key: "p", scopes: ["read"] },
    ],
  },
  {
    title: "Operation",
    items: [
      { path: "/storage", title: "Storage", icon: "storage", key: "t" },
      { path: "/usage", title: "Usage", icon: "usage", key: "u", scopes: ["read"] },
      { path: "/webhooks", title: "Webhooks", icon: "webhooks", key: "w", scopes: ["read"] },
      { path: "/jobs", title: "Jobs", icon: "jobs", key: "j", scopes: ["admin"] },
      { path: "/deletions", title: "Deletions", icon: "deletions", key: "d", scopes: ["delete"] },
      { path: "/compliance", title: "Compliance", icon: "compliance", key: "c", scopes: ["admin"] },
      { path: "/audit", title: "Audit", icon: "audit", key: "a", scopes: ["admin"] },
    ],
  },
];
