// The storage backends: what they are, whether they can be reached, and what is in them.
import { useEffect, useState } from "preact/hooks";
import { AnswerTable, missingAnswer, numberOf, textOf, useQuestion, type Row } from "../charts/answers";
import { Bars } from "../charts/bars";
import { ChartFrame } from "../charts/chart_frame";
import { request } from "../api";
import { useRefresh, useResource } from "../live";
import { useMay } from "../session";
import type { StorageBackend } from "../types";
import { Page, Section } from "../ui/page";
import { Empty, ErrorBox, Loading } from "../ui/states";
import { TagList, type Tags } from "../ui/tags";
import { Badge, Facts, Id } from "../ui/text";
import { formatBytes, formatCount } from "../ui/time";

export default function Storage() {
  const mayRead = useMay("read");
  const { data, error, reload } = useResource<StorageBackend[]>("/service/storage-backends", {}, 30_000);
  const problems = useProblems();
  const usage = useQuestion(mayRead ? "usage-by-backend" : null);
  const single = useQuestion(mayRead ? "single-copies" : null);
  if (!data) return error ? <ErrorBox error={error} retry={() => void reload()} /> : <Loading />;
  const of = (rows: readonly Row[] | undefined, id: string) => rows?.find((row) => row["storage_id"] === id);
  return (
    <Page title="Storage" subtitle="Where the bytes of objects are">
      {data.length === 0 && <Empty title="You may read no storage backend" />}
      <div class="columns">
        {data.map((backend) => (
          <BackendCard
            key={backend.id}
            backend={backend}
            problem={problems[backend.id]}
            usage={of(usage.data?.rows, backend.id)}
            single={of(single.data?.rows, backend.id)}
          />
        ))}
      </div>
      {mayRead && (
        <ChartFrame
          title="Bytes in each storage backend"
          chart={
            missingAnswer(usage) ?? (
              <Bars
                label="Bytes in each storage backend"
                bars={usage.data!.rows.map((row) => ({
                  key: textOf(row, "storage_id"),
                  label: data.find((each) => each.id === row["storage_id"])?.label ?? textOf(row, "storage_id"),
                  value: numberOf(row, "bytes"),
                  text: formatBytes(numberOf(row, "bytes")),
                }))}
              />
            )
          }
          table={missingAnswer(usage) ?? <AnswerTable answer={usage.data!} label="Bytes in each storage backend" />}
        />
      )}
    </Page>
  );
}

/** What keeps backends from being used, by their id. */
function useProblems(): Record<string, string> {
  const [problems, setProblems] = useState<Record<string, string>>({});
  const check = async () => {
    const ready = (await (await request("GET", "/readyz")).json()) as { unavailable_storage_backends?: Record<string, string> };
    setProblems(ready.unavailable_storage_backends ?? {});
  };
  useEffect(() => void check().catch(() => undefined), []);
  useRefresh(check, 15_000);
  return problems;
}

interface CardProps {
  backend: StorageBackend & { tags?: Tags };
  problem: string | undefined;
  usage: Row | undefined;
  single: Row | undefined;
}

function BackendCard({ backend, problem, usage, single }: CardProps) {
  const unsized = usage ? numberOf(usage, "objects_without_size") : 0;
  return (
    <Section
      title={backend.label ?? backend.id}
      actions={
        <span class="badges">
          {backend.default_storage && <Badge kind="plain">default</Badge>}
          {problem !== undefined && <Badge kind="bad">unavailable</Badge>}
        </span>
      }
    >
      {problem !== undefined && <p class="field-error">{problem}</p>}
      <Facts
        rows={[
          ["Product", backend.store_product],
          ["Provider", backend.provider],
          ["Region", backend.region],
          ["Id", <Id id={backend.id} />],
          ["Tags", backend.tags && <TagList tags={backend.tags} />],
          ["Objects", usage && formatCount(numberOf(usage, "objects"))],
          ["Bytes", usage && `${formatBytes(numberOf(usage, "bytes"))}${unsized ? `, and ${formatCount(unsized)} objects of unknown size` : ""}`],
          ["Hours of media", usage && formatCount(numberOf(usage, "hours"))],
          ["To be removed", usage && numberOf(usage, "unreferenced_objects") > 0 ? `${formatCount(numberOf(usage, "unreferenced_objects"))} objects` : ""],
          ["Only copies", single && `${formatCount(numberOf(single, "objects"))} objects in use are nowhere else`],
        ]}
      />
    </Section>
  );
}
