// The frame of a page: its heading, actions and sections.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { href } from "../router";

interface PageProps {
  title: ComponentChildren;
  documentTitle?: string; // if the title is no text
  crumbs?: readonly (readonly [text: string, path: string])[];
  actions?: ComponentChildren;
  subtitle?: ComponentChildren;
  fill?: boolean; // the last child takes the height that is left, and scrolls by itself
  children: ComponentChildren;
}

export function Page({ title, documentTitle, crumbs = [], actions, subtitle, fill, children }: PageProps) {
  const name = documentTitle ?? (typeof title === "string" ? title : "");
  useEffect(() => {
    document.title = name ? `${name} – TAMS console` : "TAMS console";
  }, [name]);
  return (
    <div class={fill ? "page fill" : "page"}>
      <header class="page-head">
        <div class="page-title">
          {crumbs.length > 0 && (
            <nav class="crumbs" aria-label="Breadcrumb">
              {crumbs.map(([text, path]) => (
                <a key={path} href={href(path)}>{text}</a>
              ))}
            </nav>
          )}
          <h1 tabIndex={-1}>{title}</h1>
          {subtitle && <div class="subtitle">{subtitle}</div>}
        </div>
        {actions && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface SectionProps {
  title: string;
  actions?: ComponentChildren;
  children: ComponentChildren;
}

export function Section({ title, actions, children }: SectionProps) {
  return (
    <section class="section" aria-label={title}>
      <header class="section-head">
        <h2>{title}</h2>
        {actions}
      </header>
      {children}
    </section>
  );
}
