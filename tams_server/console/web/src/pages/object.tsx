// An object: where its bytes are, how large they are, and which flows use it at which times.
import { useEffect, useState } from "preact/hooks";
import { getPage, resourcePath } from "../api";
import { serverUrl } from "../config";
import { AddInstance, RemoveInstance } from "../edit/instance_forms";
import { useResource } from "../live";
import { href } from "../router";
import type { PageProps } from "../page_props";
import { useMay } from "../session";
import type { Flow } from "../types";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox, Loading, StaleNote } from "../ui/states";
import { Badge, CopyButton, Facts, Format, Id, Label, Timerange } from "../ui/text";
import { formatBytes, formatCount } from "../ui/time";

interface GetUrl {
  url: string;
  label?: string;
  storage_id?: string;
  presigned?: boolean;
  controlled?: boolean;
  provider?: string;
  store_product?: string;
  region?: string;
}

interface MediaObject {
  id: string;
  referenced_by_flows: string[];
  first_referenced_by_flow?: string;
  timerange?: string;
  key_frame_count?: number;
  init_object?: { id: string };
  get_urls?: GetUrl[];
}

const FLOWS = 20; // flows of a page

export default function ObjectPage({ params }: PageProps) {
  const id = params["id"] ?? "";
  // URLs are signed again with each request, so that the document is read once.
  const { data, error, reload } = useResource<MediaObject>(resourcePath("objects", id), { verbose_storage: true, limit: FLOWS }, 0);
  if (!data) return error ? <ErrorBox error={error} retry={() => void reload()} /> : <Loading />;
  return (
    <Page title={data.id} documentTitle="Object" crumbs={[["Objects", "/objects"]]} subtitle={<>{data.timerange === undefined ? "no media, or not yet used by a segment" : "media"} <CopyButton text={data.id} label="Copy the id" /></>}>
      <StaleNote error={error} />
      <Section title="About">
        <Facts
          rows={[
            ["Timerange", data.timerange && <Timerange text={data.timerange} />],
            ["Key frames", data.key_frame_count === undefined ? "" : formatCount(data.key_frame_count)],
            ["Init object", data.init_object && <a class="mono" href={href(`/objects/${encodeURIComponent(data.init_object.id)}`)}>{data.init_object.id}</a>],
            ["First used by", data.first_referenced_by_flow && <FirstUse flow={data.first_referenced_by_flow} />],
          ]}
        />
      </Section>
      <Instances object={data} reload={reload} />
      <Uses object={data} />
    </Page>
  );
}

interface Instance {
  key: string;
  about: GetUrl;
  urls: GetUrl[];
}

/** The URLs by the place that they lead to. */
function instancesOf(urls: readonly GetUrl[]): Instance[] {
  const found = new Map<string, Instance>();
  for (const url of urls) {
    const key = url.storage_id ?? `label:${url.label ?? url.url}`;
    const instance = found.get(key);
    if (instance) instance.urls.push(url);
    else found.set(key, { key, about: url, urls: [url] });
  }
  return [...found.values()];
}

function Instances({ object, reload }: { object: MediaObject; reload: () => Promise<void> }) {
  const mayWrite = useMay("write");
  const [adding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<Instance | null>(null);
  const instances = instancesOf(object.get_urls ?? []);
  return (
    <Section
      title="Instances"
      actions={mayWrite && <button type="button" class="button small" onClick={() => setAdding(true)}>Add an instance…</button>}
    >
      {instances.length === 0 ? (
        <Empty title="No instance can be read">Its bytes have not arrived, or you may not read where they are.</Empty>
      ) : (
        <ul class="instances">
          {instances.map((instance) => (
            <InstanceRow key={instance.key} instance={instance} onRemove={mayWrite && instances.length > 1 ? () => setRemoved(instance) : null} />
          ))}
        </ul>
      )}
      {adding && (
        <AddInstance
          objectId={object.id}
          present={instances.flatMap(({ about }) => about.storage_id ?? [])}
          onDone={reload}
          onClose={() => setAdding(false)}
        />
      )}
      {removed && (
        <RemoveInstance
          objectId={object.id}
          name={removed.about.label ?? removed.key}
          selection={removed.about.storage_id ? { storage_id: removed.about.storage_id } : { label: removed.about.label ?? "" }}
          onDone={reload}
          onClose={() => setRemoved(null)}
        />
      )}
    </Section>
  );
}

function InstanceRow({ instance: { about, urls }, onRemove }: { instance: Instance; onRemove: (() => void) | null }) {
  const where = [about.store_product, about.provider, about.region].filter(Boolean).join(", ");
  const best = urls.find((each) => each.presigned) ?? urls[0];
  return (
    <li class="instance">
      <div class="instance-head">
        <strong>{about.label ?? "no label"}</strong>
        <span class="muted">{where}</span>
        {about.controlled === false && <Badge kind="plain">elsewhere</Badge>}
        {best && <Size url={best.url} />}
        {onRemove && (
          <button type="button" class="button small push" aria-label={`Remove the instance ${about.label ?? ""}`} onClick={onRemove}>Remove…</button>
        )}
      </div>
      {about.storage_id && <p class="muted">Storage backend <Id id={about.storage_id} /></p>}
      <ul class="urls">
        {urls.map(({ url, presigned }) => (
          <li key={url}>
            <span class="url-kind muted">{presigned ? "presigned" : "plain"}</span>
            {/^https?:/.test(url) ? <a class="mono url" href={url} target="_blank" rel="noreferrer">{withoutQuery(url)}</a> : <span class="mono url">{url}</span>}
            <CopyButton text={url} label="Copy the URL" />
          </li>
        ))}
      </ul>
    </li>
  );
}

function withoutQuery(url: string): string {
  const end = url.indexOf("?");
  return end < 0 ? url : `${url.slice(0, end)}?…`;
}

type Measured = { bytes?: number; type?: string | null; problem?: string };

/** The size of the bytes at a URL, from a request for the first of them. Of other servers only when asked for. */
function Size({ url }: { url: string }) {
  const own = URL.canParse(url) && new URL(url).origin === serverUrl("").origin;
  const [found, setFound] = useState<Measured | null>(null);
  const measure = async () => setFound(await measured(url));
  useEffect(() => {
    if (own) void measure();
  }, [url]);
  if (found?.problem) return <Badge kind="bad">{found.problem}</Badge>;
  if (found?.bytes !== undefined) {
    return <span title={`${formatCount(found.bytes)} bytes`}>{formatBytes(found.bytes)}{found.type ? `, ${found.type}` : ""}</span>;
  }
  if (own) return null;
  return <button type="button" class="button small" onClick={() => void measure()}>Check the bytes</button>;
}

async function measured(url: string): Promise<Measured> {
  try {
    const response = await fetch(url, { headers: { Range: "bytes=0-0" }, credentials: "omit" });
    await response.body?.cancel();
    if (!response.ok) return { problem: `status ${response.status}` };
    const total = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1] ?? response.headers.get("Content-Length");
    return total ? { bytes: Number(total), type: response.headers.get("Content-Type") } : { problem: "size not shown" };
  } catch {
    return { problem: "cannot be reached from here" };
  }
}

function Uses({ object }: { object: MediaObject }) {
  const [ids, setIds] = useState(object.referenced_by_flows);
  const [next, setNext] = useState<URL | null | undefined>(undefined); // undefined: the link is not known yet
  const [error, setError] = useState<unknown>(null);
  const path = resourcePath("objects", object.id);
  const more = async () => {
    setError(null);
    try {
      // The document that is shown came without its headers: read its page again for the link to the next.
      const link = next === undefined ? (await readUses(path)).next : next;
      if (link === null) return setNext(null);
      const page = await readUses(link);
      setIds([...ids, ...page.items.flatMap((each) => each.referenced_by_flows).filter((each) => !ids.includes(each))]);
      setNext(page.next);
    } catch (problem) {
      setError(problem);
    }
  };
  return (
    <Section title="Used by">
      {ids.length === 0 ? (
        <Empty title="No flow uses this object" />
      ) : (
        <ul class="uses">
          {ids.map((flow) => (
            <Use key={flow} flow={flow} object={object.id} />
          ))}
        </ul>
      )}
      {error !== null && <ErrorBox error={error} retry={() => void more()} />}
      {ids.length >= FLOWS && next !== null && (
        <p><button type="button" class="button small" onClick={() => void more()}>More flows</button></p>
      )}
    </Section>
  );
}

/** A page of the uses of an object, which is a document with a list. */
async function readUses(where: string | URL): Promise<{ items: MediaObject[]; next: URL | null }> {
  const page = await getPage<MediaObject>(where, typeof where === "string" ? { query: { limit: FLOWS, verbose_storage: true } } : {});
  const document = page?.items as unknown as MediaObject;
  return { items: document ? [document] : [], next: page?.next ?? null };
}

function FlowLink({ id, flow }: { id: string; flow: Flow | undefined }) {
  return <a href={href(`/flows/${encodeURIComponent(id)}`)}><Label label={flow?.label} id={id} /></a>;
}

function useFlow(id: string): Flow | undefined {
  return useResource<Flow>(resourcePath("flows", id), {}, 0).data;
}

function FirstUse({ flow }: { flow: string }) {
  return <FlowLink id={flow} flow={useFlow(flow)} />;
}

interface Segment {
  timerange: string;
  ts_offset?: string;
}

const SEGMENTS = 10;

/** The segments by which a flow uses an object. An empty list of labels: no URL is signed that nobody sees. */
function withoutUrls(flow: string, object: string): string {
  const query = new URLSearchParams({ accept_get_urls: "", object_id: object, limit: String(SEGMENTS + 1) });
  return `${resourcePath("flows", flow, "segments")}?${query}`;
}

function Use({ flow, object }: { flow: string; object: string }) {
  const data = useFlow(flow);
  const segments = useResource<Segment[]>(withoutUrls(flow, object), {}, 0);
  const found = segments.data ?? [];
  return (
    <li class="use">
      <div class="instance-head">
        <Format urn={data?.format} />
        <FlowLink id={flow} flow={data} />
        {data?.codec && <span class="muted">{data.codec}</span>}
      </div>
      <ul class="timeranges">
        {found.slice(0, SEGMENTS).map((segment) => (
          <li key={segment.timerange}>
            <Timerange text={segment.timerange} />
            {segment.ts_offset && <span class="muted"> offset {segment.ts_offset}</span>}
          </li>
        ))}
        {found.length > SEGMENTS && <li class="muted">and further segments</li>}
      </ul>
      {segments.error !== undefined && <ErrorBox error={segments.error} />}
    </li>
  );
}
