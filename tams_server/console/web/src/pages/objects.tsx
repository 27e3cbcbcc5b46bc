// Finds an object by its id; and objects that are used more than once, or no longer.
import { useState } from "preact/hooks";
import { AnswerTable, missingAnswer, useQuestion } from "../charts/answers";
import { navigate } from "../router";
import { Form, TextField } from "../ui/form";
import { Page, Section } from "../ui/page";

const LIMIT = 50;

export default function Objects() {
  const [id, setId] = useState("");
  const open = () => id.trim() && navigate(`/objects/${encodeURIComponent(id.trim())}`);
  return (
    <Page title="Objects" subtitle="The files that segments refer to">
      <Section title="Find an object">
        <Form onSubmit={open}>
          <div class="search-row">
            <TextField label="Object id" value={id} onInput={setId} mono required autofocus autocomplete="off" />
            <button type="submit" class="button primary">Show</button>
          </div>
        </Form>
      </Section>
      <Answered title="Used more than once" question="shared-objects" />
      <Answered title="Not used by any segment" question="unreferenced-objects" />
    </Page>
  );
}

function Answered({ title, question }: { title: string; question: string }) {
  const answer = useQuestion(question, { limit: LIMIT });
  return (
    <Section title={title}>
      <div class="chart-body">
        {missingAnswer(answer) ?? (
          <div class="table-frame" tabIndex={0} role="group" aria-label={`Objects: ${title.toLowerCase()}`}>
            <AnswerTable answer={answer.data!} label={title} />
            {answer.data!.truncated && <p class="muted">The first {LIMIT} are shown.</p>}
          </div>
        )}
      </div>
    </Section>
  );
}
