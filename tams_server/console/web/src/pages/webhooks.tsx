// Webhooks: where events are sent, whether that works, and why not.
import { useState } from "preact/hooks";
import { resourcePath, send } from "../api";
import type { Webhook } from "../edit/webhook";
import { WebhookForm } from "../edit/webhook_form";
import { getForChange } from "../edit/webhook_change";
import { useListing } from "../live";
import type { PageProps } from "../page_props";
import { mayUse, useMay, useSession } from "../session";
import { Confirm } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { Page } from "../ui/page";
import { Empty, ErrorBox, StaleNote } from "../ui/states";
import { Age, Badge, Facts, Id } from "../ui/text";
import { TagList } from "../ui/tags";
import { toast, toastError } from "../ui/toast";

const BADGES = { created: "plain", started: "good", disabled: "busy", error: "bad" } as const;
const WORDS = { created: "nothing sent yet", started: "sending", disabled: "disabled", error: "stopped after errors" } as const;

export default function Webhooks(_: PageProps) {
  const session = useSession();
  // A PUT sets what is sent to whom, which takes the right to read as well.
  const mayChange = mayUse(session, ["write"]) && mayUse(session, ["read"]);
  const mayDelete = useMay("write");
  const { items, complete, error, loadMore, reload } = useListing<Webhook>("/service/webhooks");
  const [edited, setEdited] = useState<Webhook | "new" | null>(null);
  const [doomed, setDoomed] = useState<Webhook | null>(null);
  const [busy, setBusy] = useState("");
  const setStatus = async (webhook: Webhook, status: "created" | "disabled") => {
    setBusy(webhook.id);
    try {
      const { document, etag } = await getForChange(webhook.id);
      await send("PUT", resourcePath("service", "webhooks", webhook.id), { body: { ...document, status }, ifMatch: etag });
      toast(status === "created" ? "The webhook is enabled" : "The webhook is disabled");
      await reload();
    } catch (problem) {
      toastError(problem);
    } finally {
      setBusy("");
    }
  };
  return (
    <Page
      title="Webhooks"
      subtitle="Receivers of events"
      actions={
        mayChange && (
          <button type="button" class="button primary" onClick={() => setEdited("new")}>
            <Icon name="add" />
            New webhook
          </button>
        )
      }
    >
      <StaleNote error={items.length > 0 ? error : undefined} />
      {error !== undefined && items.length === 0 && <ErrorBox error={error} retry={() => void reload()} />}
      {items.length === 0 && complete && <Empty title="No webhook is registered" />}
      <ul class="cards">
        {items.map((webhook) => (
          <li key={webhook.id} class="section webhook">
            <header class="section-head">
              <h2 class="webhook-url mono">{webhook.url}</h2>
              <Badge kind={BADGES[webhook.status]}>{WORDS[webhook.status]}</Badge>
            </header>
            <div class="webhook-body">
              {webhook.error && (
                <p>
                  <span class="field-error">{webhook.error.summary}</span> <span class="muted"><Age date={webhook.error.time} /></span>
                </p>
              )}
              <Facts
                rows={[
                  ["Events", webhook.events.join(", ")],
                  ["Filters", filtersOf(webhook)],
                  ["Sends the header", webhook.api_key_name],
                  ["Tags", webhook.tags && <TagList tags={webhook.tags} />],
                  ["Id", <Id id={webhook.id} />],
                ]}
              />
              <div class="button-row">
                {mayChange && webhook.status !== "disabled" && webhook.status !== "error" && (
                  <button type="button" class="button small" disabled={busy !== ""} onClick={() => void setStatus(webhook, "disabled")}>Disable</button>
                )}
                {mayChange && (webhook.status === "disabled" || webhook.status === "error") && (
                  <button type="button" class="button small" disabled={busy !== ""} onClick={() => void setStatus(webhook, "created")}>Enable</button>
                )}
                {mayChange && <button type="button" class="button small" onClick={() => setEdited(webhook)}>Edit</button>}
                {mayDelete && <button type="button" class="button small" onClick={() => setDoomed(webhook)}>Delete…</button>}
              </div>
            </div>
          </li>
        ))}
      </ul>
      {!complete && items.length > 0 && <p><button type="button" class="button" onClick={loadMore}>More webhooks</button></p>}
      {edited && <WebhookForm webhook={edited === "new" ? null : edited} onDone={() => void reload()} onClose={() => setEdited(null)} />}
      {doomed && (
        <Confirm
          title="Delete the webhook"
          action="Delete"
          danger
          onClose={() => setDoomed(null)}
          onConfirm={async () => {
            await send("DELETE", resourcePath("service", "webhooks", doomed.id));
            toast("The webhook is deleted");
            await reload();
          }}
        >
          <p>Nothing more is sent to <span class="mono">{doomed.url}</span>, also no event that waits now.</p>
        </Confirm>
      )}
    </Page>
  );
}

const FILTERS = [
  ["flow_ids", "flows"],
  ["source_ids", "sources"],
  ["flow_collected_by_ids", "collecting flows"],
  ["source_collected_by_ids", "collecting sources"],
] as const;

function filtersOf(webhook: Webhook): string {
  return FILTERS.filter(([name]) => webhook[name])
    .map(([name, text]) => `${webhook[name]?.length ?? 0} ${text}`)
    .join(", ");
}
