import type { Decoder, Form } from "./decode.js";
import * as limits from "./limits.js";

/** What a decoder takes, in one line: the hash of all of them is pinned to the protocol's version. */
export function shapeOf({ form }: Decoder<unknown>): string {
  if (typeof form === "string") return form === "json" ? `json${limits.maxDepth}` : form;
  if ("names" in form) return form.names.map((name) => JSON.stringify(name)).join("|");
  if ("either" in form) return form.either.map(shapeOf).join("|");
  if ("tuple" in form) return `(${form.tuple.map(shapeOf).join(",")})`;
  return "members" in form ? objectShape(form) : listShape(form);
}

type FormOf<K extends string> = Extract<Form, { readonly [name in K]: unknown }>;

function listShape({ name, item, max, required }: FormOf<"item">): string {
  if (!name) return `[${shapeOf(item)};${max}]`;
  return `{${shapeOf(name)}:${shapeOf(item)};${max}${required === undefined ? "" : `;${required}`}}`;
}

function objectShape({ members, open }: FormOf<"members">): string {
  const texts = Object.entries(members).map(([name, member]) =>
    "optional" in member ? `${name}?:${shapeOf(member.optional)}` : `${name}:${shapeOf(member)}`,
  );
  return `{${texts.join(",")}${open ? ",…" : ""}}`;
}
