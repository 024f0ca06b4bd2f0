import { isIdentifier, limits } from "@landfall/protocol";
import type { RowsQuery } from "../../engine-types.js";
import { LandfallError } from "../../landfall-error.js";
import { jsonReply } from "../call.js";
import { negotiate } from "../negotiate.js";
import { type Endpoint, member } from "../service.js";

/** `GET /v1/spaces/:space/rows`: a plain pull for curl and for tools (DESIGN §6). */
export const rows: Endpoint = async (service, call, [space = ""]) => {
  const user = await member(service, call, space);
  const format = negotiate(call.header("accept"));
  const page = await service.engine.rows(user, readQuery(space, call.query));
  // The two formats are two representations, and a strong tag names one of them.
  const etag = format === "json" ? page.etag : page.etag.replace(/"$/, '-lines"');
  const headers = { etag, vary: "accept, authorization" };
  if (matches(call.header("if-none-match"), etag)) return { status: 304, headers };
  if (format === "json") return jsonReply(200, page.text, headers);
  return {
    status: 200,
    headers: {
      ...headers,
      "content-type": "application/x-ndjson",
      "landfall-generation": page.generation,
      "landfall-head": String(page.head),
      "landfall-cursor": String(page.cursor),
      "landfall-more": String(page.more),
      "landfall-last-update-time": String(page.lastUpdateTime),
    },
    body: page.rows.map((row) => `${row}\n`).join(""),
  };
};

/** Whether an If-None-Match header names the tag (RFC 9110 §13.1.2). */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
}

/** @throws LandfallError `invalid_request`, which names the parameter. */
function readQuery(space: string, query: string): RowsQuery {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (parameters.has(name)) throw invalid(`the parameter ${JSON.stringify(name)} is given twice`);
    parameters.set(name, value);
  }
  const take = (name: string): string | undefined => {
    const value = parameters.get(name);
    parameters.delete(name);
    return value;
  };
  const domain = take("domain");
  if (domain === undefined || !isIdentifier(domain)) throw invalid("domain: expected the name of a domain");
  const since = number("since", take("since"));
  const modifiedSince = number("modified_since", take("modified_since"));
  const limit = number("limit", take("limit"));
  if (limit === 0) throw invalid("limit: expected a whole number from 1");
  const keys = list(take("keys"))?.map((key) => checkedKey("keys", key));
  const known = list(take("known"))?.map(knownRow);
  const fields = take("fields");
  if (fields !== undefined && fields !== "key")
    throw invalid('fields: expected "key", or nothing for whole rows');
  const [unknown] = parameters.keys();
  if (unknown !== undefined) {
    const name = JSON.stringify(unknown.slice(0, 40));
    throw invalid(
      `no parameter ${name}; known are domain, since, modified_since, keys, known, limit, fields`,
    );
  }
  return {
    space,
    domain,
    ...(since === undefined ? {} : { since }),
    ...(modifiedSince === undefined ? {} : { modifiedSince }),
    ...(keys === undefined ? {} : { keys }),
    ...(known === undefined ? {} : { known }),
    ...(limit === undefined ? {} : { limit: Math.min(limit, limits.maxPageRows) }),
    ...(fields === undefined ? {} : { fieldsKeyOnly: true }),
  };
}

function invalid(message: string): LandfallError {
  return new LandfallError("invalid_request", message);
}

function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
    throw invalid(`${name}: expected a whole number from 0 to 2^53-1`);
  return value;
}

/** No identifier has a comma in it (DESIGN §5.3). */
function list(text: string | undefined): readonly string[] | undefined {
  return text === undefined || text === "" ? undefined : text.split(",");
}

function checkedKey(name: string, key: string): string {
  if (!isIdentifier(key)) throw invalid(`${name}: expected keys, with commas between them`);
  return key;
}

/** A key may have colons in it, a version has none. */
function knownRow(text: string): readonly [key: string, version: number] {
  const colon = text.lastIndexOf(":");
  if (colon < 1) throw invalid("known: expected key:version, with commas between them");
  return [checkedKey("known", text.slice(0, colon)), number("known", text.slice(colon + 1)) as number];
}
