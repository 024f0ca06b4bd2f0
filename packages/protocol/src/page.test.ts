import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as answer from "./exchange-answer.js";
import * as event from "./event-decoder.js";
import * as info from "./info.js";
import * as reconcile from "./reconcile-message.js";
import * as request from "./exchange-request.js";
import * as socket from "./socket-message.js";
import * as whole from "./whole-answer.js";
import { type CodeEntry, codes } from "./codes.js";
import { type Decoder, decodeText } from "./decode.js";
import type { Op, WireEvent } from "./op.js";
import * as limits from "./limits.js";
import { fromBase64Url, toBase64Url } from "./base64url.js";
import { portableSha256, rowElement } from "./digest.js";
import { opsConflict } from "./ops-conflict.js";
import { Reconciliation, answerFrame } from "./reconcile.js";
import { decodeFrame } from "./reconcile-frame.js";
import { ReconcileItems } from "./reconcile-items.js";
import type { ReconcileRequest } from "./exchange-request.js";
import type { ReconcileAnswer } from "./reconcile-message.js";
import type { RecordRow } from "./row.js";

const page = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
const source = readFileSync(new URL("limits.ts", import.meta.url), "utf8");

/** `exchange-request` on the page is `exchangeRequest` in the code, `op` is `opDecoder`. */
const decoders = new Map<string, Decoder<unknown>>();
for (const [name, member] of Object.entries({
  ...answer,
  ...whole,
  ...event,
  ...info,
  ...reconcile,
  ...request,
  ...socket,
})) {
  if (typeof member !== "object" || member === null || !("form" in member)) continue;
  decoders.set(
    name.replace(/Decoder$/, "").replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    member,
  );
}

interface Example {
  readonly line: number;
  readonly decoder: string;
  readonly texts: readonly string[];
}
const examples: Example[] = [];
for (const match of page.matchAll(/^```(json|ndjson)(?: ([\w-]+))?\n([\s\S]*?)^```$/gm)) {
  const [, form, decoder = "", body = ""] = match;
  examples.push({
    line: page.slice(0, match.index).split("\n").length,
    decoder,
    texts: form === "ndjson" ? body.trimEnd().split("\n") : [body],
  });
}

const section = (heading: string): string => page.split(`\n## ${heading}\n`)[1]?.split("\n#")[0] ?? "";
const table = (heading: string): string =>
  section(heading)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .join("\n");

describe("docs/protocol.md", () => {
  it.each(examples)("line $line is a valid $decoder", ({ decoder, texts }) => {
    const known = decoders.get(decoder);
    if (!known) throw new Error(`The page names the decoder "${decoder}", and there is none of that name.`);
    for (const text of texts) {
      const result = decodeText(known, text);
      if (!result.ok) throw new Error(result.message);
      if (decoder === "event" && "ops" in (result.value as WireEvent))
        expect(opsConflict((result.value as { ops: Op[] }).ops)).toBeUndefined();
      if (decoder === "exchange-request") {
        for (const space of (result.value as { spaces: { events?: unknown[] }[] }).spaces)
          for (const each of space.events ?? [])
            expect(decodeText(event.eventDecoder, JSON.stringify(each))).toMatchObject({ ok: true });
      }
    }
  });

  it("rule 10: the reconciliation on the page is what the code does", () => {
    const told = <T>(name: string): T[] =>
      examples
        .filter(({ decoder }) => decoder === name)
        .map(({ texts }) => JSON.parse(texts[0] as string) as T);
    const [p1] = told<RecordRow>("row").filter(({ key }) => key === "p1");
    const [opening, wanting] = told<ReconcileRequest>("reconcile-request");
    const [listing, sending] = told<ReconcileAnswer>("reconcile-answer");
    const p3 = sending?.rows[0];
    const itemOf = (row: RecordRow) => ({
      order: row.version,
      id: row.key,
      digest: rowElement(portableSha256, row),
    });
    const theirs = ReconcileItems.of([p1, p3].map((row) => itemOf(row as RecordRow)));
    const answer = (request: ReconcileRequest | undefined) => {
      const frame = decodeFrame(fromBase64Url(request?.frame ?? "") as Uint8Array);
      if (!frame.ok) throw new Error(frame.message);
      const end = theirs.find({ order: (request?.upTo ?? 0) + 1, id: "" });
      const { frame: bytes, wanted } = answerFrame(portableSha256, theirs, end, frame.ranges);
      return { frame: toBase64Url(bytes), wanted: wanted.map((position) => theirs.at(position).id) };
    };
    const asking = new Reconciliation(portableSha256, ReconcileItems.of([itemOf(p1 as RecordRow)]));
    expect(toBase64Url(asking.next() as Uint8Array)).toBe(opening?.frame);
    expect(answer(opening)).toEqual({ frame: listing?.frame, wanted: [] });
    asking.take(fromBase64Url(listing?.frame ?? "") as Uint8Array);
    expect(asking.next()).toBeUndefined();
    expect(toBase64Url(asking.want(10) as Uint8Array)).toBe(wanting?.frame);
    expect(answer(wanting)).toEqual({ frame: sending?.frame, wanted: ["p3"] });
  });

  it("has an example of every shape", () => {
    const shown = new Set(examples.map((example) => example.decoder));
    const parts = [
      "event-identity",
      "stream-time",
      "stream-space",
      "stream-checkpoint",
      "stream-end",
      "stream-failure",
      "stream-done",
    ];
    expect([...decoders.keys()].filter((name) => !shown.has(name) && !parts.includes(name))).toEqual([]);
    const lines = examples
      .filter((example) => example.decoder === "stream-line")
      .flatMap((example) => example.texts);
    for (const type of ["time", "space", "checkpoint", "end", "failure", "done"])
      expect(lines.some((line) => line.startsWith(`{"type":"${type}"`))).toBe(true);
    const ops = new Set(
      examples
        .filter((example) => example.decoder === "op")
        .map((example) => (JSON.parse(example.texts[0] as string) as Op).op),
    );
    expect([...ops].sort()).toEqual([
      "add",
      "create",
      "delete",
      "deleteMany",
      "increment",
      "offer",
      "put",
      "remove",
      "restore",
      "update",
    ]);
  });

  it("has the twelve rules, in order", () => {
    const rules = [...page.matchAll(/^## Rule (\d+): \S.+$/gm)].map((match) => Number(match[1]));
    expect(rules).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it("the table of codes is the table in the code", () => {
    const rows = Object.entries(codes as { readonly [code: string]: CodeEntry }).map(
      ([code, entry]) =>
        `| \`${code}\` | ${entry.family} | ${entry.status ?? ""} | ${entry.retryable ? "yes" : ""} | ${entry.help} |`,
    );
    expect(table("Codes")).toBe(
      ["| Code | Family | HTTP | Retry | Help |", "|---|---|---|---|---|", ...rows].join("\n"),
    );
  });

  it("the table of limits is the table in the code", () => {
    const values = new Map<string | undefined, number>(Object.entries(limits));
    const rows = [...source.matchAll(/\/\*\* (.+) \*\/\nexport const (\w+) =/g)].map(
      ([, reason, name]) => `| \`${name}\` | ${values.get(name)} | ${reason} |`,
    );
    expect(table("Limits")).toBe(["| Limit | Value | What and why |", "|---|---|---|", ...rows].join("\n"));
  });

  it("the close codes are those of the code", () => {
    const rows = [...section("The socket").matchAll(/^\| (\d+) \| `(\w+)` \|/gm)].map((match) => [
      match[2],
      Number(match[1]),
    ]);
    expect(Object.fromEntries(rows)).toEqual(socket.socketCloseCodes);
  });
});
