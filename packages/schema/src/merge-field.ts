/** Marks a number field that writers add to: every increment counts once, in commit order. */
export interface CounterField {
  readonly merge: "counter";
}

/** Marks a field of unique scalars that writers add to and remove from, in commit order. */
export interface SetField {
  readonly merge: "set";
}

export type MergeField = CounterField | SetField;

/** A field that is incremented, never assigned after its record was created; absent means 0. */
export function counter(): CounterField {
  return { merge: "counter" };
}

/** A field whose members are added and removed, never assigned after its record was created; absent means empty. */
export function set(): SetField {
  return { merge: "set" };
}
