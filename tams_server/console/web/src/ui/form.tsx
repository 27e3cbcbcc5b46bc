// Form fields with their labels, hints and errors.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
}

interface TextFieldProps extends FieldProps {
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "password" | "search" | "url" | "number";
  placeholder?: string;
  required?: boolean;
  disabled?: boolean;
  mono?: boolean;
  rows?: number; // more than one: a text area
  autocomplete?: string;
  autofocus?: boolean;
  list?: readonly string[]; // suggestions
}

export function TextField(props: TextFieldProps) {
  const id = useId();
  const { label, hint, error, value, onInput, type = "text", rows = 1, mono, list, autofocus, ...rest } = props;
  const shared = {
    id,
    value,
    class: mono ? "input mono" : "input",
    "aria-invalid": error ? ("true" as const) : undefined,
    "aria-describedby": hint || error ? `${id}-note` : undefined,
    ref: autofocus ? focusOnce : undefined,
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {rows > 1 ? (
        <textarea {...rest} {...shared} ref={undefined} rows={rows} onInput={(event) => onInput(event.currentTarget.value)} />
      ) : (
        <input
          {...rest}
          {...shared}
          type={type as "text"} // the types of Preact forbid attributes that others ignore
          list={list ? `${id}-list` : undefined}
          spellcheck={false}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
      {list && (
        <datalist id={`${id}-list`}>
          {list.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      <Note id={`${id}-note`} hint={hint} error={error} />
    </div>
  );
}

function focusOnce(element: HTMLInputElement | null): void {
  element?.focus();
}

interface SelectFieldProps extends FieldProps {
  value: string;
  onChange: (value: string) => void;
  options: readonly (readonly [value: string, text: string])[];
  disabled?: boolean;
}

export function SelectField({ label, hint, error, value, onChange, options, disabled }: SelectFieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        class="input"
        disabled={disabled}
        aria-describedby={hint || error ? `${id}-note` : undefined}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {options.map(([each, text]) => (
          <option key={each} value={each} selected={each === value}>
            {text}
          </option>
        ))}
      </select>
      <Note id={`${id}-note`} hint={hint} error={error} />
    </div>
  );
}

interface CheckFieldProps extends FieldProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}

export function CheckField({ label, hint, error, checked, onChange, disabled }: CheckFieldProps) {
  const id = useId();
  return (
    <div class="field check">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-describedby={hint || error ? `${id}-note` : undefined}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      <Note id={`${id}-note`} hint={hint} error={error} />
    </div>
  );
}

function Note({ id, hint, error }: { id: string; hint: ComponentChildren; error: string | undefined }) {
  if (error) return <p id={id} class="field-error">{error}</p>;
  return hint ? <p id={id} class="field-hint">{hint}</p> : null;
}

/** A form that is sent by Enter or its button. */
export function Form({ onSubmit, children }: { onSubmit: () => void; children: ComponentChildren }) {
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
    </form>
  );
}
