import { domain } from "../bench.js";
import { type Check, must, same } from "../check.js";
import type { Device } from "../device.js";
import { digestOf } from "../row-digest.js";
import { add, create, drop, increment, update } from "../written-ops.js";

const rule = "rule 10";

/** Reads a domain whole, works its digest out from the rows, and compares. */
export async function compareDigest(device: Device): Promise<void> {
  const { rows, end } = await device.catchUp({ [domain]: 0 });
  const digest = end.digests?.[domain];
  must(digest !== undefined, "the last page has no digest of the domain");
  same("the digest", digest, { index: end.cursors[domain], ...digestOf(rows) });
}

/** Proof that both sides hold the same. */
export const digestChecks: readonly Check[] = [
  {
    id: "digest/content",
    rule,
    asks: "The digest at the end of a pull is that of the rows, worked out from docs/protocol.md alone; it says its index.",
    async run(bench) {
      const device = await bench.device();
      await compareDigest(bench.beside(device));
      await device.apply(
        create("a", { name: "Quay", n: 1 }),
        create("b", { list: [1, null, true, { x: [] }] }),
      );
      await compareDigest(bench.beside(device));
      await device.apply(update("a", { n: 2 }, ["name"]));
      await compareDigest(bench.beside(device));
    },
  },
  {
    id: "digest/canonical",
    rule,
    asks: "Texts, numbers and names of every kind are hashed as RFC 8785 writes them.",
    async run(bench) {
      const device = await bench.device();
      const texts = {
        empty: "",
        quote: '"\\\/\u0000\u001f\u007f\u2028',
        norse: "Ærøskøbing",
        emoji: "\u{1f600}",
      };
      const numbers = {
        big: 1e21,
        small: 1e-7,
        minus: -0.5,
        most: 2 ** 53 - 1,
        tiny: 5e-324,
        negative: -1e300,
      };
      const nested = { nested: { "\u{1f600}": 1, "\ufb33": 2, "": 3, z: { b: 1, a: 2 }, "10": 1, "9": 2 } };
      await device.apply(
        create("Z.z_~:-9", { ...texts, ...numbers, ...nested }),
        create("k".repeat(128), { a: null }),
      );
      await compareDigest(bench.beside(device));
    },
  },
  {
    id: "digest/tombstones",
    rule,
    asks: "Tombstones do not count, and what is deleted leaves the sum.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      const before = (await device.catchUp({ [domain]: 0 })).end.digests?.[domain];
      await device.apply(create("b"), create("c"));
      await device.apply(drop("b"));
      await device.apply({ op: "deleteMany", domain, keys: ["c"] });
      await compareDigest(bench.beside(device));
      const after = (await device.catchUp({ [domain]: 0 })).end.digests?.[domain];
      same("count and sum", [after?.count, after?.sum], [before?.count, before?.sum]);
    },
  },
  {
    id: "digest/counters",
    rule,
    asks: "Counters and sets are in it, as they stand after every change.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      await device.apply(increment("a", { n: 0.1 }));
      await device.apply(increment("a", { n: 0.2 }));
      await device.apply(add("a", { s: ["b", "a", 2, 10, false] }));
      await compareDigest(bench.beside(device));
    },
  },
  {
    id: "digest/last-page",
    rule,
    asks: "A page that is not the last proves nothing, and has no digests.",
    async run(bench) {
      const device = await bench.device();
      await device.send(...Array.from({ length: 5 }, (_, i) => device.event([create(`k${i}`)])));
      const { pages } = await bench.beside(device).catchUp({ [domain]: 0 }, 2);
      for (const { more, digests } of pages)
        must(
          more === (digests === undefined),
          more ? "a page that goes on has digests" : "the last page has no digests",
        );
    },
  },
];
