import { describe, expect, test } from "vitest";
import { TestDevice, addMember, create, remove, update, world } from "./device.test.fixture.js";

async function start(count: number): Promise<TestDevice> {
  const device = new TestDevice(await world());
  for (let i = 1; i <= count; i++) await device.write([create(`p${i}`, { n: i })]);
  return device;
}

const keys = (rows: readonly { readonly key: string }[]): string[] => rows.map(({ key }) => key);

describe("pages and scans", () => {
  test("§6: a scan says the head at which it began, and cursors move no further than what was sent", async () => {
    const device = await start(5);
    const first = await device.send([], { cursors: { project: 0, point: 0 }, limit: 2 });
    expect(first).toMatchObject({
      more: true,
      cursors: { project: 2, point: 2 },
      scan: { project: 5, point: 5 },
    });
    expect(first).not.toHaveProperty("digests");
    await device.write([create("c1", {}, "point")]);
    const second = await device.send([], { cursors: first.cursors, scan: first.scan ?? {}, limit: 2 });
    expect(second).toMatchObject({
      more: true,
      cursors: { project: 4, point: 4 },
      scan: { project: 5, point: 5 },
    });
    const last = await device.send([], { cursors: second.cursors, scan: second.scan ?? {}, limit: 2 });
    expect(last).toMatchObject({
      more: false,
      cursors: { project: 6, point: 6 },
      digests: { project: { index: 6, count: 5 }, point: { index: 6, count: 1 } },
    });
    expect(last).not.toHaveProperty("scan");
    expect([...keys(first.rows), ...keys(second.rows), ...keys(last.rows)]).toEqual([
      "p1",
      "p2",
      "p3",
      "p4",
      "p5",
      "c1",
    ]);
  });

  test("§6: a cursor in the middle of a scan is judged by where the scan began, or a long first sync would never end", async () => {
    const device = await start(4);
    await device.write([remove("p3")]);
    const first = await device.send([], { cursors: { project: 0 }, limit: 1 });
    await device.world.storage.pruneTombstones("site-7", "project", 5);
    const second = await device.send([], { cursors: first.cursors, scan: first.scan ?? {}, limit: 10 });
    expect(second).not.toHaveProperty("reset");
    expect(keys(second.rows)).toEqual(["p2", "p4"]);
  });

  test("§6: a scan that began before the horizon, and a finished cursor older than it, are reset and read from 0", async () => {
    const device = await start(4);
    const first = await device.send([], { cursors: { project: 0, point: 0 }, limit: 1 });
    await device.write([remove("p3")]);
    await device.world.storage.pruneTombstones("site-7", "project", 5);
    const again = await device.send([], { cursors: first.cursors, scan: first.scan ?? {}, limit: 2 });
    expect(again).toMatchObject({ reset: ["project"], more: true, scan: { project: 5, point: 4 } });
    expect(keys(again.rows)).toEqual(["p1", "p2"]);
    const finished = await device.send([], { cursors: { project: 4 } });
    expect(finished).toMatchObject({ reset: ["project"], more: false, cursors: { project: 5 } });
    expect(keys(finished.rows)).toEqual(["p1", "p2", "p4"]);
    expect(await device.send([], { cursors: { project: 5 } })).not.toHaveProperty("reset");
  });

  test("§6: under reset nothing is left out: neither own rows nor known ones", async () => {
    const device = await start(2);
    await device.write([remove("p1")]);
    await device.world.storage.pruneTombstones("site-7", "project", 3);
    const answer = await device.send([device.event([create("p9")])], {
      cursors: { project: 2 },
      known: [["project", "p2", 2]],
    });
    expect(answer).toMatchObject({ reset: ["project"], outcomes: [{ status: "applied" }] });
    expect(answer.outcomes[0]).not.toHaveProperty("omitted");
    expect(keys(answer.rows)).toEqual(["p2", "p9"]);
  });

  test("§6: known rows are left out by version or by modifiedAt, and only at that version", async () => {
    const device = await start(3);
    const [row] = await device.rows("project");
    await device.write([update("p3", { n: 30 })]);
    const { rows } = await device.send([], {
      cursors: { project: 0 },
      known: [
        ["project", "p1", row?.modifiedAt as number],
        ["project", "p2", 2],
        ["project", "p3", 3],
      ],
    });
    expect(keys(rows)).toEqual(["p3"]);
  });

  test("§6: rows that need not be sent do not fill the page", async () => {
    const device = await start(1);
    const events = Array.from({ length: 5 }, (_, i) => device.event([create(`q${i}`)]));
    const answer = await device.send(events, { cursors: { project: 0 }, limit: 1 });
    expect(answer).toMatchObject({ more: false, cursors: { project: 6 } });
    expect(keys(answer.rows)).toEqual(["p1"]);
    expect(answer.outcomes.every((outcome) => "omitted" in outcome)).toBe(true);
  });

  test("rule 5: lastSeq is the device's own, and 0 for one that has not written", async () => {
    const device = await start(3);
    await addMember(device.world, "bob", "writer");
    expect((await device.send([])).lastSeq).toBe(3);
    expect((await new TestDevice(device.world, "bob").send([])).lastSeq).toBe(0);
  });
});

describe("own echo", () => {
  test("§6: a row that somebody else wrote since the cursor is sent, an untouched one is not", async () => {
    const device = await start(2);
    await new TestDevice(device.world).write([update("p1", { note: "theirs" })]);
    const answer = await device.send(
      [device.event([update("p1", { n: 7 })]), device.event([update("p2", { n: 8 })])],
      { cursors: { project: 2 } },
    );
    expect(keys(answer.rows)).toEqual(["p1"]);
    expect(answer.outcomes).toMatchObject([{ index: 4 }, { index: 5, omitted: [["project", "p2"]] }]);
    expect(answer.outcomes[0]).not.toHaveProperty("omitted");
  });

  test("§6: several own writes on one row are each named, and a duplicate never is", async () => {
    const device = await start(1);
    const events = [
      device.event([update("p1", { n: 2 })]),
      device.event([{ op: "increment", domain: "project", key: "p1", by: { votes: 1 } }]),
    ];
    const { outcomes, rows } = await device.send(events, { cursors: { project: 1 } });
    expect(rows).toEqual([]);
    expect(outcomes).toMatchObject([{ omitted: [["project", "p1"]] }, { omitted: [["project", "p1"]] }]);
    const again = await device.send([...events, device.event([update("p1", { n: 3 })])], {
      cursors: { project: 1 },
    });
    expect(keys(again.rows)).toEqual(["p1"]);
    expect(again.outcomes.some((outcome) => "omitted" in outcome)).toBe(false);
  });
});

test("rule 3: outcomes that say nothing but what can be counted are runs; all others stand by themselves", async () => {
  const device = await start(1);
  const events = [
    device.event([create("a")]),
    device.event([create("b"), create("c")]),
    device.event([{ op: "deleteMany", domain: "project", keys: ["a", "b"] }]),
    // The second finds nothing to delete, and does not write all that it names.
    device.event([{ op: "deleteMany", domain: "project", keys: ["c", "a"] }]),
    device.event([create("d")]),
    device.event([update("none", { n: 1 })]),
    device.event([create("e")]),
    device.event([create("f")]),
  ];
  const answer = await device.send(events, { cursors: { project: 1 } });
  const times = answer.outcomes.map((outcome) => "modifiedAt" in outcome && outcome.modifiedAt);
  expect(answer.runs).toEqual([
    { seq: 2, count: 3, index: 2, modifiedAt: times[0] },
    { seq: 8, count: 2, index: 7, modifiedAt: times[0] },
  ]);
  expect(answer.outcomes.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
});

describe("streams", () => {
  test("§6: lines in order, a checkpoint after each page but the last, and done", async () => {
    const device = await start(5);
    const lines = await device.stream([device.event([create("p6")])], { cursors: { project: 0 }, limit: 2 });
    expect(lines.map((line) => line.type ?? (line as { key: string }).key)).toEqual([
      "time",
      "space",
      "p1",
      "p2",
      "p3",
      "checkpoint",
      "p4",
      "p5",
      "checkpoint",
      "p6",
      "end",
      "done",
    ]);
    expect(lines[1]).toMatchObject({ outcomes: [{ status: "applied", index: 6 }], lastSeq: 6, head: 6 });
    expect(lines[5]).toEqual({ type: "checkpoint", cursors: { project: 3 }, scan: { project: 6 } });
    expect(lines.at(-2)).toMatchObject({
      type: "end",
      head: 6,
      lastSeq: 6,
      cursors: { project: 6 },
      digests: { project: { index: 6, count: 6 } },
    });
  });

  test("§6: the first page of a stream is short, so that its reader begins while the next is read; what is left out for its own events is looked for on a whole one", async () => {
    const device = await start(150);
    const places = (lines: Awaited<ReturnType<typeof device.stream>>): number[] =>
      lines.flatMap(({ type }, place) => (type === "checkpoint" ? [place - 2] : []));
    expect(places(await device.stream([], { cursors: { project: 0 } }))).toEqual([100]);
    expect(places(await device.stream([], { cursors: { project: 0 }, limit: 60 }))).toEqual([60, 121]);
    const own = await device.stream([device.event([create("p151")])], { cursors: { project: 10 } });
    expect(places(own)).toEqual([]);
    expect(own[1]).toMatchObject({ outcomes: [{ omitted: [["project", "p151"]] }] });
  });

  test("§6: what is written while the rows go out comes at the end, and the end says its head", async () => {
    const device = await start(4);
    const other = new TestDevice(device.world);
    const request = device.request([], { cursors: { project: 0 }, limit: 2 }) as Parameters<
      typeof device.world.engine.exchangeStream
    >[1];
    const lines: { type?: string; key?: string; head?: number }[] = [];
    for await (const chunk of device.world.engine.exchangeStream({ id: "ann" }, request)) {
      if (lines.length < 3) await other.write([update("p1", { n: 100 + lines.length })]);
      lines.push(
        ...chunk
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as { key?: string }),
      );
    }
    expect(lines.flatMap(({ key }) => key ?? []).slice(-1)).toEqual(["p1"]);
    expect(lines.find(({ type }) => type === "end")?.head).toBeGreaterThan(4);
  });

  test("rule 8: whoever loses access while reading is told so there", async () => {
    const device = await start(4);
    await addMember(device.world, "bob", "reader");
    const bob = new TestDevice(device.world, "bob");
    const request = bob.request([], { cursors: { project: 0 }, limit: 1 }) as Parameters<
      typeof device.world.engine.exchangeStream
    >[1];
    let text = "";
    for await (const chunk of device.world.engine.exchangeStream({ id: "bob" }, request)) {
      text += chunk;
      if (chunk.includes('"p1"')) await device.world.engine.removeMember({ id: "bob" }, "site-7", "bob");
    }
    expect(text).toContain('{"type":"failure","space":"site-7","error":{"code":"revoked"');
    expect(text).not.toContain('"p2"');
  });

  test("§13: a request that was given up is neither handled nor read any further", async () => {
    const device = await start(3);
    const gone = new AbortController();
    const request = device.request([], { cursors: { project: 0 }, limit: 1 }) as Parameters<
      typeof device.world.engine.exchangeStream
    >[1];
    const read = async (): Promise<void> => {
      for await (const chunk of device.world.engine.exchangeStream({ id: "ann" }, request, gone.signal))
        if (chunk.includes('"p1"')) gone.abort();
    };
    await expect(read()).rejects.toMatchObject({ code: "timeout" });
    const write = device.request([device.event([create("p9")])]) as typeof request;
    await expect(device.world.engine.exchange({ id: "ann" }, write, gone.signal)).rejects.toMatchObject({
      code: "timeout",
    });
    expect(keys(await device.rows("project"))).toEqual(["p1", "p2", "p3"]);
  });

  test("§13: more events than are taken at a time are refused whole", async () => {
    const device = new TestDevice(await world({ limits: { maxEventsPerRequest: 2 } }));
    const events = ["p1", "p2", "p3"].map((key) => device.event([create(key)]));
    await expect(device.send(events)).rejects.toMatchObject({ code: "too_large", status: 413 });
    await expect(device.stream(events)).rejects.toMatchObject({ code: "too_large" });
    expect((await device.send(events.slice(0, 2))).lastSeq).toBe(2);
  });

  test("§13: pages end by bytes, so that no request holds a whole domain in memory", async () => {
    const device = new TestDevice(await world({ limits: { maxPageBytes: 20_000 } }));
    for (let i = 0; i < 12; i++) await device.write([create(`p${i}`, { text: "x".repeat(5_000) })]);
    const lines = await device.stream([], { cursors: { project: 0 }, limit: 10_000 });
    expect(lines.filter(({ type }) => type === "checkpoint")).toHaveLength(2);
    expect(lines.filter(({ type }) => type === undefined)).toHaveLength(12);
  });
});
