import type { Json } from "@landfall/protocol";

/** JSON as RFC 8785 orders it: the members of objects by the code units of their names, and no space anywhere. */
export function canonicalText(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((member: Json) => canonicalText(member)).join()}]`;
  const members = value as { readonly [name: string]: Json };
  let text = "";
  // The default order of strings is that of their code units.
  for (const name of Object.keys(members).sort())
    text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${canonicalText(members[name] as Json)}`;
  return `{${text}}`;
}
