// The field at the top: opens a source, flow or object by its id, or searches flows by label.
import { useRef, useState } from "preact/hooks";
import { ApiError, request, resourcePath } from "./api";
import { navigate } from "./router";
import { Icon } from "./ui/icons";
import { toastError } from "./ui/toast";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const GO_TO_ID = "go-to";

export function GoTo() {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const open = async () => {
    const wanted = text.trim();
    if (!wanted || busy) return;
    setBusy(true);
    try {
      const path = await findPath(wanted);
      setText("");
      input.current?.blur();
      if (path) navigate(path);
      else navigate("/flows", { label: wanted });
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      class="go-to"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        void open();
      }}
    >
      <Icon name="search" />
      <input
        id={GO_TO_ID}
        ref={input}
        type="search"
        aria-label="Go to a flow, source or object by id, or search flows by label"
        placeholder="Id or label"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <kbd class="wide-only" aria-hidden="true">/</kbd>
    </form>
  );
}

/** The page of the resource with this id; null if there is none. */
async function findPath(id: string): Promise<string | null> {
  const kinds = UUID.test(id) ? ["flows", "sources", "objects"] : ["objects"];
  const key = UUID.test(id) ? id.toLowerCase() : id;
  for (const kind of kinds) {
    const path = resourcePath(kind, kind === "objects" ? id : key);
    try {
      await request("HEAD", path);
      return path;
    } catch (error) {
      if (!(error instanceof ApiError) || ![400, 403, 404].includes(error.status)) throw error;
    }
  }
  return null;
}
