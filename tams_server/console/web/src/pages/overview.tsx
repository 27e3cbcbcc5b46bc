// The start page: the service, whether it is ready, and what is in it.
import { useEffect, useState } from "preact/hooks";
import { ApiError, request } from "../api";
import { useRefresh, useResource, useListing } from "../live";
import { href } from "../router";
import { mayUse, useSession } from "../session";
import type { Flow, Service, StorageBackend } from "../types";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox } from "../ui/states";
import { Age, Badge, Facts, Format, Label } from "../ui/text";
import { Counts } from "./counts";

export default function Overview() {
  const session = useSession();
  const mayRead = mayUse(session, ["read"]);
  const service = useResource<Service>("/service", {}, 30_000);
  const backends = useResource<StorageBackend[]>("/service/storage-backends", {}, 30_000);
  const { name, description } = service.data ?? {};
  return (
    <Page title={name ?? "Overview"} documentTitle="Overview" subtitle={description}>
      {service.error !== undefined && <ErrorBox error={service.error} retry={() => void service.reload()} />}
      <div class="overview">
        <div class="overview-main">
          {mayRead && <Counts />}
          {mayRead && <RecentFlows />}
        </div>
        <div class="overview-side">
          <Health />
          {service.data && (
            <Section title="Service">
              <Facts
                rows={[
                  ["API version", service.data.api_version],
                  ["Software", service.data.service_version],
                  ["Type", service.data.type],
                  ["Media store", service.data.media_store?.type],
                  ["Events", service.data.event_stream_mechanisms?.map((each) => each.name).join(", ")],
                ]}
              />
            </Section>
          )}
          {backends.data && (
            <Section title="Storage backends">
              <ul class="line-list">
                {backends.data.map((backend) => (
                  <li key={backend.id}>
                    <span>
                      <strong>{backend.label ?? backend.id}</strong>
                      <span class="muted"> {backend.store_product}, {backend.region}</span>
                    </span>
                    {backend.default_storage && <Badge kind="plain">default</Badge>}
                  </li>
                ))}
              </ul>
            </Section>
          )}
        </div>
      </div>
    </Page>
  );
}

interface Readiness {
  status: string;
  unavailable_storage_backends?: Record<string, string>;
}

function Health() {
  const [state, setState] = useState<{ ready?: Readiness; error?: unknown }>({});
  const check = async () => {
    try {
      setState({ ready: (await (await request("GET", "/readyz")).json()) as Readiness });
    } catch (error) {
      setState({ error });
    }
  };
  useEffect(() => void check(), []);
  useRefresh(check, 10_000);
  const unavailable = Object.entries(state.ready?.unavailable_storage_backends ?? {});
  const reachable = !(state.error instanceof ApiError && state.error.status === 0);
  return (
    <Section title="Health">
      {state.ready && unavailable.length === 0 && <p><Badge kind="good">ready</Badge></p>}
      {unavailable.length > 0 && (
        <>
          <p><Badge kind="busy">partly ready</Badge></p>
          <ul class="line-list">
            {unavailable.map(([id, problem]) => (
              <li key={id}><code>{id}</code> {problem}</li>
            ))}
          </ul>
        </>
      )}
      {state.error !== undefined && (
        <>
          <p><Badge kind="bad">{reachable ? "not ready" : "unreachable"}</Badge></p>
          <ErrorBox error={state.error} />
        </>
      )}
    </Section>
  );
}

function RecentFlows() {
  const { items, complete, error, reload } = useListing<Flow>("/flows", {}, { limit: 10 });
  return (
    <Section title="Newest flows" actions={<a href={href("/flows")}>All flows</a>}>
      {error !== undefined && <ErrorBox error={error} retry={() => void reload()} />}
      {items.length === 0 && complete && <Empty title="There are no flows yet" />}
      <ul class="line-list">
        {items.map((flow) => (
          <li key={flow.id}>
            <Format urn={flow.format} />
            <a href={href(`/flows/${flow.id}`)}><Label label={flow.label} id={flow.id} /></a>
            <span class="muted"><Age date={flow.created} /></span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
