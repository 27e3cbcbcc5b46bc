// The keys of the console, and the list of them under "?".
import { useEffect } from "preact/hooks";
import { GO_TO_ID } from "./go_to";
import { FLOW_KEYS } from "./pages/flow_keys";
import { navigate } from "./router";
import type { NavigationItem } from "./routes";
import { Dialog } from "./ui/dialog";
import { isTyping } from "./ui/typing";

const SEQUENCE_MS = 1200;

export function useShortcuts(items: readonly NavigationItem[], showHelp: () => void): void {
  const keys = items.map(({ key, path }) => `${key} ${path}`).join();
  useEffect(() => {
    let goAt = -Infinity;
    const press = (event: KeyboardEvent) => {
      if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
      if (isTyping(event.target)) {
        if (event.key === "Escape") (event.target as HTMLElement).blur();
        return;
      }
      const item = event.timeStamp - goAt < SEQUENCE_MS ? items.find((each) => each.key === event.key) : undefined;
      goAt = event.key === "g" ? event.timeStamp : -Infinity;
      if (item) {
        event.preventDefault();
        event.stopPropagation();
        navigate(item.path);
      } else if (event.key === "/") {
        event.preventDefault();
        document.getElementById(GO_TO_ID)?.focus();
      } else if (event.key === "?") showHelp();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [keys]);
}

export function Shortcuts({ items, onClose }: { items: readonly NavigationItem[]; onClose: () => void }) {
  const groups: [string, [string[], string][]][] = [
    [
      "Everywhere",
      [
        [["/"], "Go to an id, or search by label"],
        [["?"], "Show this list"],
        [["Esc"], "Leave a field, close a dialog"],
        ...items.filter((item) => item.key).map(({ key, title }): [string[], string] => [["g", key ?? ""], title]),
      ],
    ],
    [
      "Tables",
      [
        [["j", "↓"], "Next row"],
        [["k", "↑"], "Previous row"],
        [["PgDn", "PgUp"], "A screen down or up"],
        [["Home", "End"], "First or last row that is loaded"],
        [["Enter"], "Open the row"],
      ],
    ],
    ["Flow", FLOW_KEYS.map(([keys, text]): [string[], string] => [[...keys], text])],
  ];
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose} wide>
      <div class="shortcut-groups">
        {groups.map(([title, rows]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl class="shortcuts">
              {rows.map(([keys, text]) => (
                <div key={text}>
                  <dt>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dt>
                  <dd>{text}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
