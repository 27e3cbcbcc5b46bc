// Finds an object by its id; and, when asked, objects that are used more than once or no longer.
import { useState } from "preact/hooks";
import { AnswerTable, missingAnswer, useQuestion } from "../charts/answers";
import { Choice } from "../charts/chart_frame";
import { navigate } from "../router";
import { Form, TextField } from "../ui/form";
import { Page, Section } from "../ui/page";

const LIMIT = 100;
// Each reads the whole catalogue, so that none is asked before somebody wants to know.
const QUESTIONS = [
  ["", "Choose which"],
  ["shared-objects", "Used more than once"],
  ["unreferenced-objects", "Not used by any segment"],
] as const;

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
      <Lists />
    </Page>
  );
}

function Lists() {
  const [question, setQuestion] = useState("");
  const answer = useQuestion(question || null, { limit: LIMIT });
  const title = QUESTIONS.find(([each]) => each === question)?.[1] ?? "";
  return (
    <Section title="Lists of objects" actions={<Choice label="Which objects" value={question} options={QUESTIONS} onChange={setQuestion} />}>
      <div class="chart-body">
        {question === "" && <p class="muted">Objects have no listing of their own: find one by its id, or by a flow that uses it.</p>}
        {question !== "" &&
          (missingAnswer(answer) ?? (
            <div class="table-frame" tabIndex={0} role="group" aria-label={title}>
              <AnswerTable answer={answer.data!} label={title} />
              {answer.data!.truncated && <p class="muted">The first {LIMIT} are shown.</p>}
            </div>
          ))}
      </div>
    </Section>
  );
}
