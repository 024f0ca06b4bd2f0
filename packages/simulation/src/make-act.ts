import type { Act } from "./plan.js";
import type { RandomStream } from "./random-stream.js";

type ActName = Exclude<Act["do"], "draft">;
export type ActWeights = Readonly<Record<ActName, number>>;

const usual: ActWeights = {
  edit: 40,
  create: 10,
  restore: 4,
  expect: 4,
  increment: 10,
  mark: 10,
  delete: 7,
  deleteMany: 1,
  probe: 12,
  pair: 8,
  pay: 8,
  revive: 3,
  inbox: 5,
  sync: 3,
};

/** What a server hardly ever refuses. */
const smooth: Partial<ActWeights> = { pay: 40, probe: 20, pair: 20, increment: 4 };

/** How often each thing is done, different for each seed. @param kind whether all is done, or what goes through. */
export function actWeights(random: RandomStream, kind: "usual" | "smooth"): ActWeights {
  return Object.fromEntries(
    Object.entries(usual).map(([name, weight]) => [
      name,
      (kind === "usual" ? weight : (smooth[name as ActName] ?? 0)) * (0.2 + 1.6 * random.fraction()),
    ]),
  ) as unknown as ActWeights;
}

const noteKeys = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"];
const folderKeys = ["f1", "f2", "f3"];
const taskKeys = ["t1", "t2", "t3", "t4", "t5", "t6"];
const purseKeys = ["p1", "p2", "p3"];

interface Place {
  readonly domain: string;
  readonly key: string;
  readonly set: Readonly<Record<string, unknown>>;
}

/** A record with something new for it; the text names the act, so that a person can follow it. */
function makePlace(random: RandomStream, name: string): Place {
  const domain = random.weighted({ note: 55, folder: 15, task: 25, purse: 5 });
  // Most edits meet on few keys; some are alone on their own.
  const isOwn = random.chance(0.15);
  const key = (keys: readonly string[]): string => (isOwn ? `${domain[0]}-${name}` : random.pick(keys));
  switch (domain) {
    case "note":
      return {
        domain,
        key: key(noteKeys),
        set: { title: `title ${name}`, ...(random.chance(0.5) && { body: `body ${name}` }) },
      };
    case "folder":
      return {
        domain,
        key: key(folderKeys),
        set: { name: `folder ${name}`, ...(random.chance(0.3) && { color: `color ${name}` }) },
      };
    case "task":
      return {
        domain,
        key: key(taskKeys),
        set: { folder: random.pick(folderKeys), number: random.below(20), done: random.chance(0.5) },
      };
    default:
      return { domain, key: random.pick(purseKeys), set: { coins: random.below(200) } };
  }
}

/** @param name tells its values from those of all others. */
export function makeAct(random: RandomStream, weights: ActWeights, name: string): Act {
  const what = random.weighted(weights);
  switch (what) {
    case "edit": {
      const place = makePlace(random, name);
      return place.domain === "note" && random.chance(0.15)
        ? { do: what, ...place, set: { title: `title ${name}` }, unset: ["body"] }
        : { do: what, ...place };
    }
    case "create":
    case "restore":
    case "expect":
      return { do: what, ...makePlace(random, name) };
    case "increment":
      return { do: what, key: random.pick(noteKeys), by: random.between(-3, 5) || 1 };
    case "mark":
      return {
        do: what,
        key: random.pick(noteKeys),
        add: random.chance(0.6),
        marks: [`m${random.below(6)}`],
      };
    case "delete": {
      const { domain, key, set } = makePlace(random, name);
      return { do: what, domain, key, ...(random.chance(0.8) && { otherwise: set }) };
    }
    case "deleteMany":
      return {
        do: what,
        domain: "note",
        keys: [random.pick(noteKeys.slice(0, 4)), random.pick(noteKeys.slice(4))],
      };
    case "probe":
      return { do: what, mark: `probe ${name}` };
    case "pair":
      return { do: what, token: `token ${name}` };
    case "pay":
      return {
        do: what,
        from: random.pick(purseKeys),
        to: random.pick(purseKeys),
        coins: random.between(1, 20),
      };
    case "revive":
      return { do: what, key: random.pick(noteKeys), title: `revived ${name}` };
    case "inbox":
      return {
        do: what,
        at: random.below(5),
        choice: random.weighted({ retry: 3, writeAgain: 3, keepCopy: 2, dismiss: 3 }),
      };
    case "sync":
      return { do: what };
  }
}
