import { LandfallError } from "../landfall-error.js";

export type Format = "json" | "ndjson";

const specificity: { readonly [range: string]: readonly [format: Format | "any", rank: number] } = {
  "application/json": ["json", 2],
  "application/x-ndjson": ["ndjson", 2],
  "application/*": ["any", 1],
  "*/*": ["any", 0],
};

/**
 * Which of the two formats an Accept header asks for (RFC 9110 §12.5.1); JSON where it does not mind.
 * @throws LandfallError `not_acceptable`
 */
export function negotiate(accept: string | undefined): Format {
  if (accept === undefined || accept === "" || accept === "*/*" || accept === "application/json")
    return "json";
  if (accept === "application/x-ndjson") return "ndjson";
  const quality = { json: 0, ndjson: 0 };
  const rank = { json: -1, ndjson: -1 };
  for (const range of accept.split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    const known = Object.hasOwn(specificity, name) ? specificity[name] : undefined;
    if (known === undefined) continue;
    const given = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = given === undefined ? 1 : Number(given.slice(2));
    for (const format of known[0] === "any" ? (["json", "ndjson"] as const) : [known[0]]) {
      if (known[1] < rank[format]) continue;
      rank[format] = known[1];
      quality[format] = Number.isFinite(weight) ? weight : 0;
    }
  }
  if (quality.json <= 0 && quality.ndjson <= 0) {
    throw new LandfallError(
      "not_acceptable",
      "This address answers application/json and application/x-ndjson only.",
    );
  }
  return quality.ndjson > quality.json ? "ndjson" : "json";
}
