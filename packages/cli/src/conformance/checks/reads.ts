import type { Row } from "@landfall/protocol";
import { domain, otherDomain } from "../bench.js";
import { type Check, has, must, same } from "../check.js";
import { create, drop, update } from "../written-ops.js";

const versions = (rows: readonly Row[]): readonly number[] => rows.map(({ version }) => version);

/** Pages, cursors, scans, and what need not be sent. */
export const readChecks: readonly Check[] = [
  {
    id: "pages/walk",
    rule: "rule 5",
    asks: "With a limit the rows come page by page, in the order of versions, each once; cursors move forward and end at the head.",
    async run(bench) {
      const device = await bench.device();
      await device.send(...Array.from({ length: 10 }, (_, i) => device.event([create(`k${i}`)])));
      const reader = bench.beside(device);
      const { rows, pages, end } = await reader.catchUp({ [domain]: 0 }, 3);
      same("the versions", versions(rows), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      must(pages.length >= 3, `a limit of 3 is soft, but ${pages.length} pages of 10 rows is none at all`);
      for (const page of pages) if (page.more) must(page.rows.length > 0, "a page that goes on has no rows");
      same("the last cursors", end.cursors, { [domain]: end.head });
    },
  },
  {
    id: "pages/whole-versions",
    rule: "rule 5",
    asks: "A page never ends inside a version, however small the limit.",
    async run(bench) {
      const device = await bench.device();
      for (let i = 0; i < 4; i++)
        await device.apply(...Array.from({ length: 7 }, (_, j) => create(`k${i}-${j}`)));
      const { pages } = await bench.beside(device).catchUp({ [domain]: 0 }, 2);
      const seen = new Set<number>();
      for (const { rows } of pages) {
        const here = new Set(versions(rows));
        for (const version of here) {
          must(!seen.has(version), `version ${version} is on two pages`);
          seen.add(version);
          same(
            `the rows of version ${version} on its page`,
            rows.filter((row) => row.version === version).length,
            7,
          );
        }
      }
      same("the versions", [...seen], [1, 2, 3, 4]);
    },
  },
  {
    id: "pages/several-domains",
    rule: "rule 4",
    asks: "Pages over several domains are in one order: no cursor passes a row that has not been sent.",
    async run(bench) {
      const device = await bench.device();
      for (let i = 0; i < 12; i++)
        await device.apply(create(`k${i}`, {}, i % 3 === 0 ? otherDomain : domain));
      const { pages } = await bench.beside(device).catchUp({ [domain]: 0, [otherDomain]: 0 }, 2);
      const got = new Map<string, Set<number>>();
      for (const { rows, cursors } of pages) {
        for (const row of rows) got.set(row.domain, (got.get(row.domain) ?? new Set()).add(row.version));
        for (let version = 1; version <= 12; version++) {
          const name = version % 3 === 1 ? otherDomain : domain;
          if ((cursors[name] ?? 0) >= version)
            must(
              got.get(name)?.has(version) === true,
              `the cursor of ${name} passed version ${version}, which was not sent`,
            );
        }
      }
      same(
        "the rows",
        [...got.values()].reduce((sum, { size }) => sum + size, 0),
        12,
      );
    },
  },
  {
    id: "pages/since",
    rule: "rule 5",
    asks: "What lies after a cursor comes, and nothing else; a row comes as it is now, once.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a", { n: 1 }), create("b"));
      const cursor = await device.apply(create("c"));
      await device.apply(update("a", { n: 2 }));
      await device.apply(update("a", { n: 3 }));
      await device.apply(drop("b"));
      const { rows } = await bench.beside(device).catchUp({ [domain]: cursor });
      has("the rows", rows, [
        { key: "a", version: 4, fields: { n: 3 } },
        { key: "b", version: 5, deleted: true },
      ]);
    },
  },
  {
    id: "pages/asked-domains",
    rule: "The exchange",
    asks: "Only the domains that `cursors` names are read, and each has its cursor in the answer.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"), create("b", {}, otherDomain));
      const reader = bench.beside(device);
      const answer = await reader.exchange({ cursors: { [otherDomain]: 0, empty: 0 } });
      has("the rows", answer.rows, [{ domain: otherDomain, key: "b" }]);
      same("the cursors", answer.cursors, { [otherDomain]: 1, empty: 1 });
    },
  },
  {
    id: "pages/scan",
    rule: "Pages, scans and resets",
    asks: "A domain that is read from 0 in pages says the head at which the scan began, and goes on saying so when it is repeated.",
    async run(bench) {
      const device = await bench.device();
      await device.send(...Array.from({ length: 6 }, (_, i) => device.event([create(`k${i}`)])));
      const reader = bench.beside(device);
      const first = await reader.exchange({ cursors: { [domain]: 0 } }, { limit: 2 });
      same("`more`", first.more, true);
      same("`scan`", first.scan, { [domain]: 6 });
      await device.apply(create("late"));
      const second = await reader.exchange({ cursors: first.cursors, scan: first.scan }, { limit: 2 });
      same("`scan` of the second page", second.scan, { [domain]: 6 });
      same("its versions", versions(second.rows), [3, 4]);
    },
  },
  {
    id: "pages/last-seq",
    rule: "rule 5",
    asks: "Every answer says the device's own newest handled seq, and nobody else's.",
    async run(bench) {
      const device = await bench.device();
      const other = bench.beside(device);
      await device.send(device.event([create("a")]), device.event([create("a")]));
      await other.apply(create("b"));
      same("`lastSeq` of who wrote two", (await device.exchange({ cursors: { [domain]: 0 } })).lastSeq, 2);
      same("`lastSeq` of who wrote one", (await other.exchange()).lastSeq, 1);
      same("`lastSeq` of who wrote none", (await bench.beside(device).exchange()).lastSeq, 0);
    },
  },
  {
    id: "pages/index",
    rule: "rule 4",
    asks: "Indexes count the applied events, from 1, without gaps; `modifiedAt` never goes back, and rises from commit to commit.",
    async run(bench) {
      const device = await bench.device();
      const times: number[] = [];
      for (let i = 1; i <= 6; i++) {
        const outcome = await device.write(create(`k${i}`));
        has("the outcome", outcome, { status: "applied", index: i });
        times.push((outcome as { modifiedAt?: number }).modifiedAt ?? 0);
      }
      must(
        times.every((time, at) => at === 0 || time > (times[at - 1] as number)),
        `the times of commits one after another are ${times.join(", ")}`,
      );
      same("the head", (await device.exchange()).head, 6);
      for (const row of await device.rows(domain))
        same(`modifiedAt of version ${row.version}`, row.modifiedAt, times[row.version - 1]);
    },
  },
  {
    id: "pages/concurrent",
    rule: "rule 4",
    asks: "While eight devices write at once, who reads again and again from its cursor gets every version once and in order.",
    async run(bench) {
      const device = await bench.device();
      const writers = Array.from({ length: 8 }, () => bench.beside(device));
      let writing = true;
      const work = Promise.all(
        writers.map(async (writer, who) => {
          for (let i = 0; i < 10; i++) await writer.apply(create(`w${who}-${i}`));
        }),
      ).finally(() => (writing = false));
      const reader = bench.beside(device);
      const seen: number[] = [];
      let cursor = 0;
      for (let last = false; !last;) {
        last = !writing;
        const { rows, end } = await reader.catchUp({ [domain]: cursor }, 5);
        seen.push(...versions(rows));
        cursor = end.cursors[domain] ?? 0;
      }
      await work;
      same(
        "the versions",
        seen,
        Array.from({ length: 80 }, (_, i) => i + 1),
      );
    },
  },
  {
    id: "cursor/ahead",
    rule: "The exchange",
    asks: "A cursor beyond the head is `cursor_ahead`, which says the head; the request's events are not handled.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      const error = await device.failing("cursor_ahead", {
        cursors: { [domain]: 7 },
        events: [device.event([create("b")])],
      });
      same("the head", error.head, 1);
      same(
        "the keys",
        (await device.rows(domain)).map(({ key }) => key),
        ["a"],
      );
    },
  },
  {
    id: "cursor/generation",
    rule: "rule 12",
    asks: "A generation that the space never had is `generation_changed`, with the one that it has; the request's events are not handled.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      const { generation } = device;
      device.generation = "never-heard-of";
      const error = await device.failing("generation_changed", { events: [device.event([create("b")])] });
      same("the generation", error.generation, generation);
      device.generation = generation;
      same(
        "the keys",
        (await device.rows(domain)).map(({ key }) => key),
        ["a"],
      );
    },
  },
  {
    id: "cursor/without-generation",
    rule: "The exchange",
    asks: "Cursors above 0 without the generation in which they hold are the space's error `invalid_space`.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      await device.failing("invalid_space", { generation: undefined, cursors: { [domain]: 1 } });
    },
  },
  {
    id: "echo/omitted",
    rule: "Own echo",
    asks: "Rows that the device has just written itself are left out and named in `omitted`.",
    async run(bench) {
      const device = await bench.device();
      const answer = await device.exchange({
        cursors: { [domain]: 0 },
        events: [device.event([create("a"), create("b")]), device.event([drop("a")])],
      });
      const omitted = answer.outcomes.flatMap((outcome) =>
        "omitted" in outcome ? (outcome.omitted ?? []) : [],
      );
      const named = new Set(omitted.map((name) => name.join("/")));
      for (const key of ["a", "b"]) {
        const sent = answer.rows.some((row) => row.key === key);
        const left = named.has(`${domain}/${key}`);
        must(
          sent !== left,
          `${key} is ${sent ? "sent, and named in omitted" : "neither sent nor named in omitted"}`,
        );
      }
      same("the cursor", answer.cursors, { [domain]: 2 });
    },
  },
  {
    id: "echo/foreign",
    rule: "Own echo",
    asks: "A row that somebody else has changed since the cursor is sent, although the device has just written it.",
    async run(bench) {
      const device = await bench.device();
      const cursor = await device.apply(create("a", { mine: 1 }));
      await bench.beside(device).apply(update("a", { theirs: 2 }));
      const answer = await device.exchange({
        cursors: { [domain]: cursor },
        events: [device.event([update("a", { mine: 3 })])],
      });
      has("the rows", answer.rows, [{ key: "a", version: 3, fields: { mine: 3, theirs: 2 } }]);
      same("what is omitted", (answer.outcomes[0] as { omitted?: unknown }).omitted ?? [], []);
    },
  },
  {
    id: "echo/duplicate",
    rule: "Own echo",
    asks: "The rows of a duplicate are sent: the first answer may have been lost.",
    async run(bench) {
      const device = await bench.device();
      const event = device.event([create("a", { n: 1 })]);
      await device.send(event);
      const answer = await device.exchange({ cursors: { [domain]: 0 }, events: [event] });
      has("the rows", answer.rows, [{ key: "a", fields: { n: 1 } }]);
      has("the outcome", answer.outcomes, [{ status: "duplicate", omitted: undefined }]);
    },
  },
  {
    id: "echo/known",
    rule: "The exchange",
    asks: "Rows that `known` names with their version or time are left out; those that have moved on since are sent.",
    async run(bench) {
      const device = await bench.device();
      for (const key of ["a", "b", "c"]) await device.apply(create(key));
      const [, second] = await device.rows(domain);
      await device.apply(update("c", { n: 1 }));
      const known = [
        [domain, "a", 1],
        [domain, "b", second?.modifiedAt],
        [domain, "c", 3],
      ];
      const answer = await bench.beside(device).exchange({ cursors: { [domain]: 0 }, known });
      has("the rows", answer.rows, [{ key: "c", version: 4 }]);
    },
  },
];
