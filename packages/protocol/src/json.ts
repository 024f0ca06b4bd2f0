/** A JSON value as RFC 8259 has it; numbers are finite. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The fields of a record: names and values. */
export type Fields = { readonly [field: string]: Json };

/**
 * The canonical text of a JSON value (RFC 8785): members sorted by UTF-16 code units, no white space,
 * numbers and strings as ECMAScript writes them. Two equal values have the same text on every engine,
 * which is why digests hash it (DESIGN §5.4).
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) {
    let text = "[";
    for (let i = 0; i < value.length; i++) text += (i === 0 ? "" : ",") + canonicalJson(value[i] as Json);
    return text + "]";
  }
  const members = value as { readonly [name: string]: Json };
  const names = Object.keys(members).sort();
  let text = "{";
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    text += (i === 0 ? "" : ",") + JSON.stringify(name) + ":" + canonicalJson(members[name] as Json);
  }
  return text + "}";
}

/** Whether two JSON values are equal, whatever the order of their members. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a === null || b === null) return false;
  if (typeof a !== "object" || typeof b !== "object") return false;
  return canonicalJson(a) === canonicalJson(b);
}
