// Profiles: technical metadata that flows share. A list, one profile, and a form for a new one.
import { useState } from "preact/hooks";
import { getJson, resourcePath, send } from "../api";
import { Choice } from "../charts/chart_frame";
import { useListing, useResource } from "../live";
import { href, navigate, replaceQuery } from "../router";
import type { PageProps } from "../page_props";
import { useMay } from "../session";
import { Confirm } from "../ui/dialog";
import { TextField } from "../ui/form";
import { Icon } from "../ui/icons";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox, Loading, StaleNote } from "../ui/states";
import { DataTable, type Column } from "../ui/table";
import { TagList, type Tags } from "../ui/tags";
import { Age, Facts, Format, FORMAT_OPTIONS, Id } from "../ui/text";
import { toast } from "../ui/toast";
import { TEMPLATES, technicalOf } from "./profile_templates";

interface Profile {
  id: string;
  label?: string;
  description?: string;
  created?: string;
  created_by?: string;
  tags?: Tags;
  flow_metadata: Record<string, unknown> & { format?: string; codec?: string; container?: string };
}

export default function Profiles({ params, query }: PageProps) {
  return params["id"] ? <ProfilePage id={params["id"]} /> : <ProfileList query={query} />;
}

const COLUMNS: readonly Column<Profile>[] = [
  { key: "format", title: "Format", width: "76px", render: (profile) => <Format urn={profile.flow_metadata.format} /> },
  {
    key: "label",
    title: "Label",
    width: "minmax(140px, 2fr)",
    render: (profile) => <a href={href(`/profiles/${profile.id}`)}>{profile.label || <span class="muted">no label</span>}</a>,
  },
  { key: "codec", title: "Codec", width: "120px", render: (profile) => profile.flow_metadata.codec },
  { key: "container", title: "Container", width: "140px", render: (profile) => profile.flow_metadata.container, narrow: "hide" },
  { key: "tags", title: "Tags", width: "minmax(100px, 1.4fr)", render: (profile) => <TagList tags={profile.tags} most={3} />, narrow: "hide" },
  { key: "id", title: "Id", width: "110px", render: (profile) => <Id id={profile.id} short />, narrow: "hide" },
  { key: "created", title: "Created", width: "104px", render: (profile) => <Age date={profile.created} />, narrow: "hide" },
];

function ProfileList({ query }: { query: URLSearchParams }) {
  const mayWrite = useMay("write");
  const [creating, setCreating] = useState(false);
  const format = query.get("format") ?? "";
  const { items, complete, error, loadMore, reload } = useListing<Profile>("/service/profiles", { format }, { every: 15_000 });
  return (
    <Page
      title="Profiles"
      fill
      subtitle="Technical metadata that flows share"
      actions={
        mayWrite && (
          <button type="button" class="button primary" onClick={() => setCreating(true)}>
            <Icon name="add" />
            New profile
          </button>
        )
      }
    >
      <div class="filter-bar" role="search" aria-label="Filters">
        <Choice label="Format" value={format} options={[["", "All formats"], ...FORMAT_OPTIONS]} onChange={(value) => replaceQuery({ format: value })} />
      </div>
      <StaleNote error={items.length > 0 ? error : undefined} />
      {error !== undefined && items.length === 0 ? (
        <ErrorBox error={error} retry={() => void reload()} />
      ) : (
        <DataTable
          label="Profiles"
          columns={COLUMNS}
          rows={items}
          rowKey={(profile) => profile.id}
          rowHref={(profile) => `/profiles/${profile.id}`}
          complete={complete}
          onMore={loadMore}
          empty={<Empty title="There are no profiles" />}
        />
      )}
      {creating && <NewProfile onClose={() => setCreating(false)} />}
    </Page>
  );
}

function ProfilePage({ id }: { id: string }) {
  const { data, error, reload } = useResource<Profile>(resourcePath("service", "profiles", id), {}, 0);
  if (!data) return error ? <ErrorBox error={error} retry={() => void reload()} /> : <Loading />;
  const { format, codec, container, ...rest } = data.flow_metadata;
  return (
    <Page
      title={data.label || "Profile without a label"}
      crumbs={[["Profiles", "/profiles"]]}
      subtitle={<><Format urn={format} /> <Id id={data.id} /></>}
    >
      <div class="columns">
        <Section title="About">
          <Facts
            rows={[
              ["Description", data.description],
              ["Codec", codec],
              ["Container", container],
              ["Created", <><Age date={data.created} />{data.created_by && ` by ${data.created_by}`}</>],
              ["Tags", data.tags && <TagList tags={data.tags} />],
            ]}
          />
        </Section>
        <Section title="Technical metadata">
          <pre class="json" tabIndex={0} aria-label="Technical metadata">{JSON.stringify(rest, null, 2)}</pre>
        </Section>
      </div>
    </Page>
  );
}

function NewProfile({ onClose }: { onClose: () => void }) {
  const [label, setLabel] = useState("");
  const [description, setDescription] = useState("");
  const [format, setFormat] = useState<string>(FORMAT_OPTIONS[0]?.[0] ?? "");
  const [text, setText] = useState(pretty(TEMPLATES[format]));
  const [flow, setFlow] = useState("");
  const [problem, setProblem] = useState<unknown>(null);
  const parsed = parse(text);
  const fill = async () => {
    setProblem(null);
    try {
      const metadata = technicalOf(await getJson<Record<string, unknown>>(resourcePath("flows", flow.trim())));
      setText(pretty(metadata));
      if (typeof metadata["format"] === "string") setFormat(metadata["format"]);
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <Confirm
      title="New profile"
      action="Create"
      disabled={parsed === null}
      onClose={onClose}
      onConfirm={async () => {
        const id = crypto.randomUUID?.() ?? randomId();
        const body = { id, label: label || undefined, description: description || undefined, flow_metadata: parsed };
        await send("POST", resourcePath("service", "profiles", id), { body });
        toast("The profile is created");
        navigate(`/profiles/${id}`);
      }}
    >
      <p class="muted">A profile cannot be changed afterwards.</p>
      <TextField label="Label" value={label} onInput={setLabel} autofocus autocomplete="off" />
      <TextField label="Description" value={description} onInput={setDescription} autocomplete="off" />
      <div class="search-row">
        <TextField label="Take the metadata of a flow" value={flow} onInput={setFlow} mono placeholder="id of a flow" autocomplete="off" />
        <button type="button" class="button" disabled={!flow.trim()} onClick={() => void fill()}>Take</button>
      </div>
      {problem !== null && <ErrorBox error={problem} />}
      <div class="template-row">
        <span class="muted">Or begin with a template for</span>
        <Choice
          label="Template"
          value={format}
          options={FORMAT_OPTIONS}
          onChange={(value) => {
            setFormat(value);
            setText(pretty(TEMPLATES[value]));
          }}
        />
      </div>
      <TextField
        label="Technical metadata"
        value={text}
        onInput={setText}
        rows={14}
        mono
        error={parsed === null ? "This is not a JSON object." : undefined}
      />
    </Confirm>
  );
}

function pretty(value: unknown): string {
  return JSON.stringify(value ?? {}, null, 2);
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** A random UUID, where the page has no secure context. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
