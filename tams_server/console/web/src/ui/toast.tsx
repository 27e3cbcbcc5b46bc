// Short messages about what has been done.
import { createStore, useStore } from "../store";
import { Icon } from "./icons";
import { ErrorText } from "./states";

interface Toast {
  id: number;
  kind: "done" | "error";
  content: unknown;
}

const toasts = createStore<Toast[]>([]);
let count = 0;

/** Say for some seconds that something has been done. */
export function toast(text: string): void {
  show("done", text, 4000);
}

/** Show an error until it is closed or half a minute has passed. */
export function toastError(error: unknown): void {
  show("error", error, 30_000);
}

function show(kind: Toast["kind"], content: unknown, lifetime: number): void {
  const id = ++count;
  toasts.set([...toasts.get().slice(-3), { id, kind, content }]);
  setTimeout(() => close(id), lifetime);
}

function close(id: number): void {
  toasts.set(toasts.get().filter((each) => each.id !== id));
}

export function Toasts() {
  return (
    <div class="toasts" aria-live="polite">
      {useStore(toasts).map(({ id, kind, content }) => (
        <div key={id} class={`toast ${kind}`} role={kind === "error" ? "alert" : "status"}>
          <Icon name={kind === "done" ? "check" : "warning"} />
          <div class="error-text">{kind === "done" ? String(content) : <ErrorText error={content} />}</div>
          <button type="button" class="icon-button" aria-label="Close the message" onClick={() => close(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
