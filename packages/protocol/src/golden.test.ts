import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as answer from "./exchange-answer.js";
import * as event from "./event-decoder.js";
import * as info from "./info.js";
import * as reconcile from "./reconcile-message.js";
import * as request from "./exchange-request.js";
import * as socket from "./socket-message.js";
import * as whole from "./whole-answer.js";
import { type Decoder, decode } from "./decode.js";
import { shapeOf } from "./declared-shape.js";

interface Golden {
  readonly decoder: string;
  readonly message: Record<string, unknown>;
}

const folder = new URL("../golden/v1/", import.meta.url);
const decoders: Readonly<Record<string, unknown>> = {
  ...answer,
  ...whole,
  ...event,
  ...info,
  ...reconcile,
  ...request,
  ...socket,
};
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
const golden = new Map(
  files.map((name) => [name, JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Golden]),
);
const decoderOf = (name: string): Decoder<unknown> => decoders[name] as Decoder<unknown>;

/** What clients say is read strictly, what servers say openly: a newer server may say more. */
const fromClient = new Set([
  "opDecoder",
  "eventDecoder",
  "exchangeRequest",
  "reconcileRequest",
  "socketHello",
  "socketAuth",
  "socketWatch",
  "socketExchange",
  "createSpaceRequest",
  "setMemberRequest",
]);

describe("golden messages of version 1", () => {
  it.each([...golden])("%s decodes for ever", (_name, { decoder, message }) => {
    const text = JSON.stringify(message);
    const result = decode(decoderOf(decoder), JSON.parse(text));
    if (!result.ok) throw new Error(result.message);
    expect(JSON.stringify(result.value)).toBe(text);
  });

  it.each([...golden])(
    "%s: one member more is refused from a client and passed over from a server",
    (_name, { decoder, message }) => {
      expect(decode(decoderOf(decoder), { ...message, extra: 1 }).ok).toBe(!fromClient.has(decoder));
    },
  );

  it.each([...golden])("%s: a member of another type is refused", (_name, { decoder, message }) => {
    for (const name of Object.keys(message)) {
      // Arguments and results are any JSON; an unknown `type` over the socket is passed over.
      if (name === "args" || name === "result") continue;
      const result = decode(decoderOf(decoder), { ...message, [name]: Object.create(null) });
      const mayBeEmpty = [
        "set",
        "by",
        "values",
        "cursors",
        "scan",
        "fields",
        "digests",
        "horizons",
        "spaces",
        "generations",
      ].includes(name);
      if (!mayBeEmpty) expect(result.ok, name).toBe(false);
    }
  });

  it("are never changed and never removed; new ones are added with their hash", () => {
    const pinned = readFileSync(new URL("../v1.sha256", folder), "utf8").trimEnd().split("\n");
    const found = files.sort().map(
      (name) =>
        `${createHash("sha256")
          .update(readFileSync(new URL(name, folder)))
          .digest("hex")}  v1/${name}`,
    );
    expect(found).toEqual(pinned);
  });

  it("there is one of every op, status, line, message and kind of row", () => {
    const tags = (decoder: string, ...names: string[]): Set<string> =>
      new Set(
        [...golden.values()]
          .filter((g) => g.decoder === decoder)
          .map((g) =>
            names
              .map((name) => g.message[name])
              .join(" ")
              .trim(),
          ),
      );
    const declared = (decoder: string, member: string): Set<string> =>
      new Set(
        [...shapeOf(decoderOf(decoder)).matchAll(new RegExp(`[{,]${member}:((?:"\\w+"\\|?)+)`, "g"))].map(
          (match) => JSON.parse(match[1] as string) as string,
        ),
      );
    expect(tags("opDecoder", "op")).toEqual(declared("opDecoder", "op"));
    // An answer over the socket has the lines of a stream in it.
    expect(tags("serverMessage", "type")).toEqual(
      new Set(
        [...declared("serverMessage", "type")].filter((type) => !declared("streamLine", "type").has(type)),
      ),
    );
    expect(tags("streamLine", "type")).toEqual(new Set([...declared("streamLine", "type"), ""]));
    expect(tags("outcomeDecoder", "status", "of")).toEqual(
      new Set([
        "applied",
        "rejected",
        "void",
        "deferred",
        "duplicate applied",
        "duplicate rejected",
        "duplicate void",
        "duplicate expired",
      ]),
    );
    // Each kind of line has its own decoder, and is read by that of any line.
    expect(new Set([...golden.values()].map((g) => g.decoder))).toEqual(
      new Set(
        Object.keys(decoders).filter(
          (name) =>
            name !== "eventIdentityDecoder" &&
            !/^stream(?!Line)/.test(name) &&
            typeof decoders[name] === "object" &&
            "form" in (decoders[name] as object),
        ),
      ),
    );
  });
});
