import { type ComponentProps, type ReactNode, useId } from "react";

interface Around {
  readonly label: string;
  /** Said below the field, and with it. */
  readonly hint?: string | undefined;
  /** What is wrong with what was entered. */
  readonly error?: string | undefined;
}

/** What ties a control to its hint and its error for those who hear it. */
function useDescription({ hint, error }: Around): {
  readonly id: string;
  readonly props: object;
  readonly below: ReactNode;
} {
  const id = useId();
  const text = error ?? hint;
  return {
    id,
    props: {
      id,
      ...(text ? { "aria-describedby": `${id}-below` } : {}),
      ...(error ? { "aria-invalid": true } : {}),
    },
    below: text && (
      <span
        id={`${id}-below`}
        className={error ? "field-error" : "field-hint"}
        role={error ? "alert" : undefined}
      >
        {text}
      </span>
    ),
  };
}

export function TextField({ label, hint, error, ...input }: Around & ComponentProps<"input">): ReactNode {
  const { id, props, below } = useDescription({ label, hint, error });
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input type="text" autoComplete="off" {...input} {...props} />
      {below}
    </div>
  );
}

export function TextArea({ label, hint, error, ...area }: Around & ComponentProps<"textarea">): ReactNode {
  const { id, props, below } = useDescription({ label, hint, error });
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea rows={3} {...area} {...props} />
      {below}
    </div>
  );
}

export function SelectField({
  label,
  hint,
  error,
  children,
  ...select
}: Around & ComponentProps<"select">): ReactNode {
  const { id, props, below } = useDescription({ label, hint, error });
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select {...select} {...props}>
        {children}
      </select>
      {below}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly legend: string;
  /** Whether the legend is only heard, where the place says the same. */
  readonly isLegendHidden?: boolean;
  /** The name in the form around it; it needs none outside of a form. */
  readonly name?: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly onChange: (value: T) => void;
  readonly disabled?: boolean;
}

/** A few choices side by side, one of which holds: radio buttons that look like one control. */
export function Choice<T extends string>({
  legend,
  isLegendHidden,
  name,
  value,
  options,
  onChange,
  disabled,
}: ChoiceProps<T>): ReactNode {
  const group = useId();
  return (
    <fieldset className="choice" disabled={disabled}>
      <legend className={isLegendHidden ? "only-heard" : undefined}>{legend}</legend>
      <div className="choice-row">
        {options.map((option) => (
          <label key={option.value} className={`choice-option choice-${option.value}`}>
            <input
              type="radio"
              name={name ?? group}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            <span>{option.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
