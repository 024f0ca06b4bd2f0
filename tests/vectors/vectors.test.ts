import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import {
  type AppliedOutcome,
  DigestSum,
  HybridClock,
  type Json,
  type Op,
  ReceiveClock,
  type RecordRow,
  type Row,
  canonicalJson,
  effectiveStamp,
  isStamp,
  makeStamp,
  makeTail,
  mergeRecord,
  portableSha256,
  rowElement,
  stampReading,
  stampTail,
  decodeText,
} from "@landfall/protocol";
import { canonical, digestOf } from "@landfall/cli/conformance/row-digest";
import { NaiveSpace } from "@landfall/cli/conformance/naive-space";
import { readFrame, writeFrame } from "@landfall/cli/conformance/reconcile-frame";
import { stampOf } from "@landfall/cli/conformance/stamps";
import { decodeFrame, encodeFrame } from "@landfall/protocol/reconcile-frame";
import { DigestKeeper } from "@landfall/client/replica/digest-keeper";
import { omittedRows } from "@landfall/client/replica/own-echo";
import { noRules } from "@landfall/client/replica/rules";
import { startTestServer } from "@landfall/server/testing";
import { describe, expect, it, test } from "vitest";
import { run } from "../../scripts/child.mjs";
import { root } from "../style/source-files.js";
import { messageDecoders } from "./message-vectors.js";

const folder = `${root}docs/vectors/`;
const read = (name: string): unknown => JSON.parse(readFileSync(folder + name, "utf8"));

test("docs/vectors is what the inputs give, and its README names every file", async () => {
  const checked = await run(process.execPath, [`${root}scripts/vectors.mjs`, "--check"]);
  expect(checked).toMatchObject({ code: 0 });
  const readme = readFileSync(`${folder}README.md`, "utf8");
  for (const name of readdirSync(folder)) if (name.endsWith(".json")) expect(readme).toContain(`\`${name}\``);
});

describe("rule 6: stamps", () => {
  interface Stamps {
    texts: { ms: number; counter: number; random: string; tail: string; stamp: string }[];
    noStamps: string[];
    clocks: {
      about: string;
      floorMs: number;
      tail: string;
      steps: { now?: number; seen?: string; stamp?: string }[];
    }[];
    effective: { about: string; id: string; received: { ms: number; counter: number }; eff: string }[];
    received: {
      about: string;
      last: { ms: number; counter: number };
      commits: { now: number; modifiedAt: number; readings: object[] }[];
    }[];
  }
  const stamps = read("stamps.json") as Stamps;

  it.each(stamps.texts)("$stamp has its parts", ({ ms, counter, random, tail, stamp }) => {
    expect(makeTail(Buffer.from(random, "hex"))).toBe(tail);
    expect(makeStamp(ms, counter, tail)).toBe(stamp);
    expect([isStamp(stamp), stampReading(stamp), stampTail(stamp)]).toEqual([true, { ms, counter }, tail]);
    // Another route: one number of 128 bits, as RFC 9562 §5.7 lays it out.
    const variant = (BigInt(`0x${random}`) & ((1n << 62n) - 1n)) | (1n << 63n);
    const bits = (BigInt(ms) << 80n) | (7n << 76n) | (BigInt(counter) << 64n) | variant;
    expect(stamp.replaceAll("-", "")).toBe(bits.toString(16).padStart(32, "0"));
  });

  it("the example of RFC 9562, appendix A.6, reads as it says", () => {
    const example = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    expect(stampReading(example)).toEqual({ ms: Date.parse("2022-02-22T14:22:22-05:00"), counter: 0xcc3 });
    expect(makeStamp(1_645_557_742_000, 0xcc3, stampTail(example))).toBe(example);
    expect(stampOf(1_645_557_742_000, 0xcc3, stampTail(example))).toBe(example);
  });

  it.each(stamps.noStamps)("%j is no stamp", (text) => {
    expect(isStamp(text)).toBe(false);
  });

  it.each(stamps.clocks)("a clock: $about", ({ floorMs, tail, steps }) => {
    let nowMs = 0;
    const clock = new HybridClock({ now: () => nowMs, tail, floorMs });
    // Another route: one number of 60 bits, 12 of them the counter.
    let last = floorMs * 4_096 + 4_095;
    for (const { now, seen, stamp } of steps) {
      if (seen !== undefined) {
        clock.observe(seen);
        const { ms, counter } = stampReading(seen);
        if (ms < 253_402_300_800_000) last = Math.max(last, ms * 4_096 + counter);
        continue;
      }
      nowMs = now ?? 0;
      expect(clock.next()).toBe(stamp);
      const wall = nowMs > 0 && nowMs < 253_402_300_800_000 ? Math.floor(nowMs) * 4_096 : 0;
      last = Math.max(wall, last + 1);
      expect(stamp).toBe(stampOf(Math.floor(last / 4_096), last % 4_096, tail));
    }
  });

  it.each(stamps.effective)("the effective stamp of an event $about", ({ id, received, eff }) => {
    expect(effectiveStamp(id, received)).toBe(eff);
    const cut = stampOf(received.ms, received.counter, "bfff-ffffffffffff");
    expect(eff).toBe(id <= cut ? id : stampOf(received.ms, received.counter, id.slice(19)));
  });

  it.each(stamps.received)("receipts of $about", ({ last, commits }) => {
    const clock = new ReceiveClock(last);
    for (const { now, modifiedAt, readings } of commits) {
      expect(clock.beginCommit(now)).toBe(modifiedAt);
      expect(readings.map(() => ({ ...clock.next() }))).toEqual(readings);
    }
  });

  it("receipts written out by hand", () => {
    const today = 1_795_000_000_000;
    const reading = (ms: number, counter: number) => ({ ms: today + ms, counter });
    expect(
      stamps.received.map(({ commits }) =>
        commits.map(({ modifiedAt, readings }) => [modifiedAt - today, ...readings]),
      ),
    ).toEqual([
      [
        [0, reading(0, 0)],
        [10, reading(10, 0), reading(10, 1)],
        [20, reading(20, 0), reading(20, 1), reading(20, 2)],
      ],
      [
        [1, reading(1, 0)],
        [2, reading(2, 0), reading(2, 1)],
      ],
    ]);
  });
});

describe("rules 6, 7 and 12: merging", () => {
  interface Case {
    about: string;
    before: { fields?: object; stamps?: object; deleted?: true } | null;
    op: Op & { op: "create"; key: string };
    stamp: string;
    kinds?: { [field: string]: "lww" | "counter" | "set" };
    rejected?: string;
    changed?: boolean;
    after?: { fields?: object; stamps?: object; deleted?: true };
    superseded?: object[];
  }
  const { cases } = read("merge.json") as { cases: Case[] };

  it.each(cases)("$about", ({ before, op, stamp, kinds = {}, rejected, changed, after, superseded }) => {
    const result = mergeRecord((before ?? undefined) as never, op, stamp, (field) => kinds[field]);
    if (rejected === undefined) expect(result).toEqual({ ok: true, changed, state: after, superseded });
    else expect(result).toMatchObject({ ok: false, code: rejected });
  });

  // What a schema says, and the range of numbers, are no part of the naive model.
  const plain = cases.filter(({ about, kinds }) => kinds === undefined && !about.includes("range"));
  it.each(plain)(
    "$about: a naive model says the same",
    ({ before, op, stamp, rejected, after, superseded, changed }) => {
      const states: { [key: string]: never } = {};
      if (before !== null) states["k"] = (before.deleted ? "deleted" : before) as never;
      const model = new NaiveSpace(states);
      const outcome = model.apply([op], stamp);
      if (rejected !== undefined) {
        expect(outcome).toEqual({ status: "rejected", code: rejected });
        return;
      }
      // The standing stamp of a field is its own, or the create's; that an equal one is not listed is brevity.
      const row = model.rows().find((each) => (each as [string])[0] === "k") as [
        string,
        number,
        [object, { [f: string]: string }] | null,
      ];
      expect(row[1]).toBe(changed ? 1 : 0);
      const stampsOf = (stamps: { [field: string]: string }) =>
        Object.fromEntries(
          Object.entries(stamps).filter(([field, at]) => field === "*" || at !== stamps["*"]),
        );
      if (after?.deleted) expect(row[2]).toBe(null);
      else
        expect([row[2]?.[0], stampsOf(row[2]?.[1] ?? {})]).toEqual([
          after?.fields,
          stampsOf(after?.stamps as never),
        ]);
      expect(model.superseded.map(({ field, by }) => ({ field, by }))).toEqual(superseded);
    },
  );

  it("what the model leaves out, said by hand", () => {
    const rest = cases.filter((each) => !plain.includes(each));
    expect(rest.map(({ about, rejected, after }) => [about, rejected ?? after])).toEqual([
      ["increment out of the range of numbers", "invalid"],
      ["a counter is not set", "invalid"],
      ["a register is not counted", "invalid"],
      [
        "a set begins in order",
        { fields: { s: ["a", "b"] }, stamps: { "*": "019a3b9e-0001-7000-8000-000000000001" } },
      ],
      [
        "offer leaves counters and sets as they are",
        { fields: { n: 1, s: ["a"] }, stamps: { "*": "019a3b9e-0002-7000-8000-000000000001" } },
      ],
    ]);
  });
});

describe("rule 10: digests", () => {
  interface Digests {
    canonical: { value: Json; text: string }[];
    rows: { row: RecordRow; rowHash: string; number: string }[];
    sums: { rows: number[]; count: number; sum: string }[];
  }
  const digests = read("digest.json") as Digests;

  it.each(digests.canonical)("$text", ({ value, text }) => {
    expect([canonicalJson(value), canonical(value)]).toEqual([text, text]);
  });

  it("the example of RFC 8785, §3.2.2, is written as it says", () => {
    const example = JSON.parse(
      String.raw`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`,
    ) as Json;
    const written = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`;
    expect([canonicalJson(example), canonical(example)]).toEqual([written, written]);
  });

  it.each(digests.rows)("the number of $row.domain $row.key $row.version", ({ row, rowHash, number }) => {
    const text = `{"fields":${canonical(row.fields)},"stamps":${canonical(row.stamps)}}`;
    expect(createHash("sha256").update(text).digest("hex")).toBe(rowHash);
    expect(digestOf([row])).toEqual({ count: 1, sum: number });
    expect(rowElement(portableSha256, row).toString(16).padStart(32, "0")).toBe(number);
  });

  it("sums are those of the numbers, and what is taken out again leaves nothing", () => {
    for (const { rows, count, sum } of digests.sums) {
      const chosen = rows.map((at) => digests.rows[at] as Digests["rows"][number]);
      const kept = new DigestSum();
      for (const { row } of chosen) kept.add(rowElement(portableSha256, row));
      expect([kept.count, kept.sum]).toEqual([count, sum]);
      const total = chosen.reduce((all, { number }) => all + BigInt(`0x${number}`), 0n) % (1n << 128n);
      expect(total.toString(16).padStart(32, "0")).toBe(sum);
      for (const { row } of chosen) kept.remove(rowElement(portableSha256, row));
      expect([kept.count, kept.sum]).toEqual([0, "0".repeat(32)]);
    }
  });

  it("two rows and their sum as Python's hashlib, struct and int have them", () => {
    expect(digests.rows.slice(0, 2).map(({ number }) => number)).toEqual([
      "d9707b5b82ffb4c847ba379774eee3d8",
      "fda8d0d7d3fe06639b87746ebdb6bdbc",
    ]);
    expect(digests.rows[1]?.rowHash).toBe("b2a43942afe62bf231ee30419d88217aaf2d42a1853dc9c663f445382357b7c6");
    const rows = digests.rows.slice(0, 2).map(({ row }) => row);
    expect(digestOf(rows).sum).toBe("d7194c3356fdbb2be341ac0632a5a194");
  });
});

describe("rule 10: reconciliation", () => {
  type Item = [version: number, key: string, number: string];
  interface Said {
    to: [number, string] | null;
    say: "skip" | "fingerprint" | "list" | "want";
    value?: string;
    numbers?: string[];
  }
  const { items, fingerprints, frames, noFrames, conversations } = read("reconcile.json") as {
    items: Item[];
    fingerprints: { from: number; to: number; value: string }[];
    frames: { about: string; ranges: Said[]; frame: string }[];
    noFrames: string[];
    conversations: {
      about: string;
      lacks: number[];
      hasMore: Item[];
      rounds: { asked: string; answered: string }[];
    }[];
  };

  /** SHA-256 of sum and count, by node:crypto. */
  const comesTo = (some: readonly Item[]): string => {
    const sum = some.reduce((total, [, , number]) => total + BigInt(`0x${number}`), 0n) % (1n << 128n);
    const bytes = Buffer.from(
      sum.toString(16).padStart(32, "0") + some.length.toString(16).padStart(16, "0"),
      "hex",
    );
    return createHash("sha256").update(bytes).digest("hex").slice(0, 32);
  };
  const modes = ["skip", "fingerprint", "list", "want"];

  it("fingerprints of parts", () => {
    for (const { from, to, value } of fingerprints) expect(comesTo(items.slice(from, to))).toBe(value);
  });

  it.each(frames)("a frame: $about", ({ ranges, frame }) => {
    const plain = ranges.map(({ to, say, value, numbers }) => ({
      bound: to === null ? undefined : { version: to[0], prefix: to[1] },
      mode: modes.indexOf(say),
      body: value === undefined ? (numbers ?? []) : [value],
    }));
    expect(writeFrame(plain)).toBe(frame);
    expect(readFrame(frame)).toEqual(plain);
    const decoded = decodeFrame(Buffer.from(frame, "base64url"));
    expect(decoded.ok && Buffer.from(encodeFrame(decoded.ranges).bytes).toString("base64url")).toBe(frame);
  });

  it.each(noFrames)("%s is no frame", (frame) => {
    expect(decodeFrame(Buffer.from(frame, "base64url")).ok).toBe(false);
  });

  it.each(conversations)(
    "$about: what is said is true of both sides, and enough",
    ({ lacks, hasMore, rounds }) => {
      const inOrder = (some: readonly Item[]) =>
        some.toSorted((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1));
      const mine = inOrder([...items.filter((_item, at) => !lacks.includes(at)), ...hasMore]);
      const heard = new Set<string>();
      const between = (held: readonly Item[], ranges: ReturnType<typeof readFrame>): Item[][] => {
        let rest = held;
        return ranges.map(({ bound }) => {
          const isHere = ([version, key]: Item) =>
            bound === undefined ||
            version < bound.version ||
            (version === bound.version && key < bound.prefix);
          const here = rest.filter(isHere);
          rest = rest.filter((item) => !isHere(item));
          return here;
        });
      };
      for (const { asked, answered } of rounds) {
        const [question, answer] = [readFrame(asked), readFrame(answered)];
        between(mine, question).forEach((here, at) => {
          if (question[at]?.mode === 1) expect(question[at]?.body).toEqual([comesTo(here)]);
        });
        between(items, answer).forEach((here, at) => {
          if (answer[at]?.mode === 1) expect(answer[at]?.body).toEqual([comesTo(here)]);
          if (answer[at]?.mode !== 2) return;
          expect(answer[at]?.body.toSorted()).toEqual(here.map(([, , number]) => number).toSorted());
          for (const number of answer[at]?.body ?? []) heard.add(number);
        });
      }
      for (const at of lacks) expect(heard).toContain(items[at]?.[2]);
      expect(rounds.length).toBeLessThanOrEqual(3);
    },
  );
});

describe("messages", () => {
  interface Case {
    message: string;
    text: string;
    accepted: boolean;
    at?: string;
  }
  const { cases } = read("messages.json") as { cases: Case[] };

  it.each(cases)("$message $text: $accepted", ({ message, text, accepted, at }) => {
    const result = decodeText(messageDecoders[message] as never, text);
    expect(result.ok).toBe(accepted);
    if (!result.ok) expect(result.message.split(": ")[0]).toBe(at);
  });

  it("a server takes and refuses requests as its decoder does", async () => {
    const server = await startTestServer();
    for (const { text, accepted, at } of cases.filter(({ message }) => message === "exchange-request")) {
      const answer = await fetch(`${server.url}/v1/exchange`, {
        method: "POST",
        body: text,
        headers: { authorization: "Bearer dev:ann", "content-type": "application/json" },
      });
      expect([answer.status, text]).toEqual([accepted ? 200 : 400, text]);
      const { detail, code } = (await answer.json()) as { detail?: string; code?: string };
      if (!accepted && code === "invalid_request") expect(detail?.split(": ")[0]).toBe(at);
    }
    await server.close();
  });
});

describe("a history", () => {
  interface Step {
    about: string;
    device: string;
    arrives: number;
    event: { id: string; seq: number; ops?: Op[]; expect?: unknown };
    outcome: {
      status: string;
      code?: string;
      index?: number;
      modifiedAt?: number;
      eff?: string;
      superseded?: { field: string; by: string }[];
    };
    rows: Row[];
  }
  const { domain, steps, rows, digest } = read("history.json") as {
    domain: string;
    steps: Step[];
    rows: Row[];
    digest: { index: number; count: number; sum: string };
  };

  it("rules 3, 6, 7, 9 and 10: a server gives these outcomes, rows and digest over HTTP", async () => {
    let nowMs = 0;
    const server = await startTestServer({ clock: { now: () => nowMs } });
    const post = async (path: string, body: object) =>
      (await (
        await fetch(server.url + path, {
          method: "POST",
          body: JSON.stringify(body),
          headers: { authorization: "Bearer dev:ann", "content-type": "application/json" },
        })
      ).json()) as { spaces: { outcomes: { message?: string }[]; rows: Row[]; digests: object }[] };
    await post("/v1/spaces", { space: "site-7" });
    const exchange = async (device: string, part: object) =>
      (
        await post("/v1/exchange", {
          protocol: 1,
          device,
          spaces: [{ space: "site-7", cursors: {}, ...part }],
        })
      ).spaces[0];
    for (const { device, arrives, event, outcome } of steps) {
      nowMs = arrives;
      const [got] = (await exchange(device, { events: [event] }))?.outcomes ?? [];
      delete got?.message;
      expect(got).toEqual(outcome);
    }
    const end = await exchange("reader", { cursors: { [domain]: 0 } });
    expect([end?.rows, end?.digests]).toEqual([rows, { [domain]: digest }]);
    await server.close();
  });

  it("a naive model gives the same rows, and the digest by another route", () => {
    const model = new NaiveSpace();
    // What was decided before merging began is no part of the model.
    const before = new Set(["expectation_failed", "depends_on", "invalid"]);
    for (const { event, outcome } of steps) {
      if (event.ops === undefined || before.has(outcome.code ?? "")) continue;
      const { status, code, index } = outcome;
      expect(model.apply(event.ops, outcome.eff ?? event.id)).toEqual(
        status === "applied" ? { status, index } : { status, code },
      );
      expect(model.superseded.map(({ field, by }) => [field, by])).toEqual(
        (outcome.superseded ?? []).map(({ field, by }) => [field, by]),
      );
    }
    const plain = rows.map((row) => [row.key, row.version, row.deleted ? null : [row.fields, row.stamps]]);
    expect(plain.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))).toEqual(model.rows());
    expect({ index: 21, ...digestOf(rows as never) }).toEqual(digest);
  });

  it("a client works out from its events and outcomes the rows that were left out", () => {
    const base = new Map<string, Row>();
    for (const { event, outcome, rows: changed } of steps) {
      const isComputed = outcome.status === "applied" && event.ops?.every((op) => !("upTo" in op));
      if (isComputed) {
        const omitted = changed.map(({ domain, key }) => [domain, key]);
        const computed = omittedRows(
          { ...outcome, id: event.id, omitted } as unknown as AppliedOutcome,
          { ...event, madeAt: 0 } as never,
          (_domain, key) => base.get(key),
          { domain: () => noRules, runAction: () => Promise.reject(new Error("no action")) },
        );
        expect(computed).toEqual(changed);
      }
      for (const row of changed) base.set(row.key, row);
    }
    expect([...base.values()].toSorted((a, b) => a.version - b.version)).toEqual(
      rows.toSorted((a, b) => a.version - b.version),
    );
  });

  it("rule 10: a client's digest of these rows is this one, and of any other is not", () => {
    const differing = (held: readonly Row[]): string[] => {
      const found: string[] = [];
      const timers: (() => void)[] = [];
      const byKey = new Map(held.map((row) => [row.key, row]));
      const keeper = new DigestKeeper({
        hash: portableSha256,
        timers: { after: (_ms, work) => (timers.push(work), () => undefined) },
        current: (_domain, key) => byKey.get(key),
      });
      keeper.note(domain, byKey, new Map());
      keeper.compare(
        { [domain]: digest },
        () => true,
        (name, agrees) => {
          if (!agrees) found.push(name);
        },
      );
      while (timers.length > 0) timers.shift()?.();
      return found;
    };
    expect(differing(rows)).toEqual([]);
    const other = rows.map((row) => (row.deleted ? row : { ...row, fields: { ...row.fields, changed: 1 } }));
    expect(differing(other)).toEqual([domain]);
  });
});
