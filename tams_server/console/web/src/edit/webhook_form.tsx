// A webhook that is registered or changed.
import { useEffect, useState } from "preact/hooks";
import { resourcePath, send } from "../api";
import { Confirm } from "../ui/dialog";
import { CheckField, SelectField, TextField } from "../ui/form";
import { ErrorBox, Loading } from "../ui/states";
import { toast } from "../ui/toast";
import type { Webhook } from "./webhook";
import { getForChange } from "./webhook_change";

const EVENTS = [
  "flows/created",
  "flows/updated",
  "flows/deleted",
  "flows/segments_added",
  "flows/segments_deleted",
  "sources/created",
  "sources/updated",
  "sources/deleted",
];
const LISTS = [
  ["flow_ids", "Only these flows"],
  ["source_ids", "Only these sources"],
  ["flow_collected_by_ids", "Only what these flows collect"],
  ["source_collected_by_ids", "Only what these sources collect"],
  ["accept_get_urls", "Labels of the URLs in events of segments"],
  ["accept_storage_ids", "Storage backends of these URLs"],
] as const;

interface Fields {
  url: string;
  events: string[];
  keyName: string;
  keyValue: string;
  lists: Record<string, string>;
  presigned: string;
  verbose: boolean;
  timerange: boolean;
  enabled: boolean;
}

interface WebhookFormProps {
  webhook: Webhook | null; // null for a new one
  onDone: () => void;
  onClose: () => void;
}

type Base = { document: Partial<Webhook>; etag: string | undefined };

export function WebhookForm({ webhook, onDone, onClose }: WebhookFormProps) {
  const [base, setBase] = useState<Base | null>(webhook ? null : { document: {}, etag: undefined });
  const [problem, setProblem] = useState<unknown>(null);
  const [fields, setFields] = useState<Fields>(fieldsOf(webhook ?? {}));
  useEffect(() => {
    if (!webhook) return;
    getForChange(webhook.id).then((found) => {
      setBase(found);
      setFields(fieldsOf({ ...found.document, status: webhook.status }));
    }, setProblem);
  }, []);
  const set = (part: Partial<Fields>) => setFields({ ...fields, ...part });
  const filtered = LISTS.some(([name]) => fields.lists[name]);
  return (
    <Confirm
      title={webhook ? "Edit the webhook" : "New webhook"}
      action={webhook ? "Save" : "Register"}
      disabled={!base || !fields.url || fields.events.length === 0}
      onClose={onClose}
      onConfirm={async () => {
        const body = { ...base?.document, ...membersOf(fields, base?.document ?? {}) };
        if (webhook) await send("PUT", resourcePath("service", "webhooks", webhook.id), { body, ifMatch: base?.etag });
        else await send("POST", "/service/webhooks", { body });
        toast(webhook ? "The webhook is saved" : "The webhook is registered");
        onDone();
      }}
    >
      {problem !== null && <ErrorBox error={problem} />}
      {!base && problem === null && <Loading />}
      {base && (
        <>
          <TextField label="URL" value={fields.url} onInput={(url) => set({ url })} type="url" required mono autofocus autocomplete="off" />
          <fieldset class="field-set">
            <legend>Events</legend>
            <div class="check-grid">
              {EVENTS.map((event) => (
                <CheckField
                  key={event}
                  label={event}
                  checked={fields.events.includes(event)}
                  onChange={(on) => set({ events: EVENTS.filter((each) => (each === event ? on : fields.events.includes(each))) })}
                />
              ))}
            </div>
          </fieldset>
          <div class="field-grid">
            <TextField label="Header with a secret" value={fields.keyName} onInput={(keyName) => set({ keyName })} placeholder="Authorization" autocomplete="off" />
            <TextField
              label="Its value"
              type="password"
              value={fields.keyValue}
              onInput={(keyValue) => set({ keyValue })}
              autocomplete="new-password"
              hint={webhook?.api_key_name ? "Empty: the value stays as it is. It is never shown." : "It is never shown again."}
            />
          </div>
          <CheckField label="Send events" checked={fields.enabled} onChange={(enabled) => set({ enabled })} />
          <details class="more-fields" open={filtered}>
            <summary>Filters and content of events</summary>
            <div class="form">
              {LISTS.map(([name, label]) => (
                <TextField
                  key={name}
                  label={label}
                  value={fields.lists[name] ?? ""}
                  onInput={(text) => set({ lists: { ...fields.lists, [name]: text } })}
                  mono
                  hint="Separated by commas. Empty: no restriction."
                  autocomplete="off"
                />
              ))}
              <SelectField
                label="URLs in events of segments"
                value={fields.presigned}
                onChange={(presigned) => set({ presigned })}
                options={[["", "All"], ["true", "Presigned ones"], ["false", "Others"]]}
              />
              <CheckField label="With the properties of the storage backends" checked={fields.verbose} onChange={(verbose) => set({ verbose })} />
              <CheckField label="With the timeranges of objects" checked={fields.timerange} onChange={(timerange) => set({ timerange })} />
            </div>
          </details>
        </>
      )}
    </Confirm>
  );
}

function fieldsOf(webhook: Partial<Webhook>): Fields {
  return {
    url: webhook.url ?? "",
    events: webhook.events ?? [],
    keyName: webhook.api_key_name ?? "",
    keyValue: "",
    lists: Object.fromEntries(LISTS.map(([name]) => [name, (webhook[name] ?? []).join(", ")])),
    presigned: webhook.presigned === undefined ? "" : String(webhook.presigned),
    verbose: webhook.verbose_storage ?? false,
    timerange: webhook.include_object_timerange ?? false,
    enabled: webhook.status !== "disabled",
  };
}

/** The members of the request; undefined, and so left out, where there is nothing to say. */
function membersOf(fields: Fields, before: Partial<Webhook>): Record<string, unknown> {
  const lists = LISTS.map(([name]) => {
    const items = (fields.lists[name] ?? "").split(",").map((each) => each.trim()).filter(Boolean);
    const empty = before[name]?.length === 0 ? [] : undefined; // an empty list is a filter of its own
    return [name, items.length > 0 ? items : empty] as const;
  });
  return {
    url: fields.url.trim(),
    events: fields.events,
    api_key_name: fields.keyName || undefined,
    api_key_value: fields.keyName && fields.keyValue ? fields.keyValue : undefined,
    ...Object.fromEntries(lists),
    presigned: fields.presigned === "" ? undefined : fields.presigned === "true",
    verbose_storage: fields.verbose || undefined,
    include_object_timerange: fields.timerange || undefined,
    status: fields.enabled ? "created" : "disabled",
  };
}
