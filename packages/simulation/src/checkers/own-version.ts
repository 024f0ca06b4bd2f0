import type { Fields, Json, Op } from "@landfall/protocol";
import type { Entry, Inbox, InboxEntry, LocalWrite, Seen, View } from "../history.js";
import { canonicalText } from "../model/canonical.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";

/**
 * What a device does by itself about versions of its app (§5.2). No server brings over its inbox, nor records of its own: both
 * are in the words of the version that the app has now, each brought over once, whatever version they were written in. And
 * an app that is too old says so.
 */
export const ownVersion: Checker = {
  name: "own-version",
  rule: "§5.2",
  promise:
    "Inbox and local records are in the words of the app's own version; one that is too old is told so.",
  check(run) {
    return [...inboxInOldWords(run), ...localRecords(run), ...saidToBeInStep(run)];
  },
};

/** Who cannot read what there is takes nothing in, and is not told to be in step with it. */
function saidToBeInStep({ entries }: Run): Finding[] {
  const [upgradedAt] = entries.of("commit").find(([, { schema = 1 }]) => schema > 1) ?? [];
  if (upgradedAt === undefined) return [];
  return entries
    .of("synced")
    .filter(([, { schema, asked }]) => schema === 1 && asked > upgradedAt)
    .map(([, entry]) => ({
      at: entry.at,
      message: `${tabOf(entry)} was told that it is in step with rows that its app cannot read`,
    }));
}

function inboxInOldWords(run: Run): Finding[] {
  const findings: Finding[] = [];
  const told = new Set<string>();
  for (const [, inbox] of run.entries.of("inbox")) {
    // What the first version shows it has written too.
    if ((inbox.schema ?? 1) === 1) continue;
    for (const item of inbox.items) {
      const name = `${tabOf(inbox)} ${item.id}`;
      if (told.has(name)) continue;
      const wrong = wrongWords(run, inbox, item);
      if (wrong === undefined) continue;
      told.add(name);
      findings.push({
        at: inbox.at,
        message: `${tabOf(inbox)} has the inbox item ${item.id}, which ${wrong}`,
      });
    }
  }
  return findings;
}

function wrongWords({ lineage }: Run, { schema = 1 }: Inbox, item: InboxEntry): string | undefined {
  const { domain = "", key, field, tried, kind } = item;
  const { plain } = lineage.upgrade;
  const now = field === undefined ? undefined : plain.nameOf(domain, field);
  if (now !== field && now !== undefined) return `calls ${now} of ${domain} ${field}`;
  const issue = item.event === undefined ? undefined : lineage.issues.get(item.event);
  if (!issue) return undefined;
  const { ops, args } = lineage.asked(issue, schema);
  // What deletes by query says no fields, and is of no key.
  if (ops && key === undefined) return undefined;
  const op = ops?.find((each) => each.domain === domain && each.op !== "deleteMany" && each.key === key);
  if (kind === "superseded") {
    const should = op && "set" in op ? op.set?.[field as string] : undefined;
    return should === undefined ? undefined : otherwise(tried, should);
  }
  // Of what was to change only what is gone now, nothing is left.
  return otherwise(tried, ops ? (op ? triedBy(op) : issue.ops && {}) : args);
}

const otherwise = (is: Json | undefined, should: Json | undefined): string | undefined =>
  textOf(is) === textOf(should)
    ? undefined
    : `says that ${textOf(is)} was tried, and that was ${textOf(should)}`;

const textOf = (value: Json | undefined): string => (value === undefined ? "nothing" : canonicalText(value));

/** The fields that an op was to write. */
function triedBy(op: Op): Json | undefined {
  switch (op.op) {
    case "increment":
      return op.by;
    case "add":
    case "remove":
      return op.values;
    default:
      return "set" in op ? op.set : undefined;
  }
}

/**
 * A tab shows of each of them what was written on its device. Where the device has one tab, what that wrote shows from
 * then on, and what was saved is there after a crash; with several the later of two writes at once is anybody's guess.
 */
function localRecords(run: Run): Finding[] {
  const findings: Finding[] = [];
  const scan = new LocalScan();
  const wanted = ["localWrite", "localSaved", "view", "started", "storageFault", "cloned"] as const;
  if (run.entries.of("localWrite").length === 0) return findings;
  for (const [, entry] of run.entries.of("started")) scan.tabs(entry.device).add(entry.tab);
  for (const [, entry] of run.entries.of(...wanted)) {
    if (entry.type !== "view") {
      scan.take(entry);
      continue;
    }
    const wrong = scan.wrongIn(run, entry);
    if (wrong !== undefined) findings.push({ at: entry.at, message: `${tabOf(entry)} ${wrong}` });
  }
  return findings;
}

class LocalScan {
  readonly #tabs = new Map<string, Set<string>>();
  readonly #written = new Map<string, Map<string, LocalWrite[]>>();
  readonly #byNumber = new Map<number, LocalWrite>();
  /** The newest of each that its device is to show, and that it is to show after a crash. */
  readonly #shown = new Map<string, Map<string, LocalWrite>>();
  readonly #saved = new Map<string, Map<string, LocalWrite>>();

  tabs(device: string): Set<string> {
    return own(this.#tabs, device, () => new Set());
  }

  take(entry: Exclude<Entry, View>): void {
    switch (entry.type) {
      case "localWrite": {
        const name = nameOf(entry);
        this.#byNumber.set(entry.number, entry);
        own(this.writtenOn(entry.device), name, () => []).push(entry);
        own(this.#shown, entry.device, () => new Map()).set(name, entry);
        return;
      }
      case "localSaved": {
        const write = this.#byNumber.get(entry.number) as LocalWrite;
        own(this.#saved, entry.device, () => new Map()).set(nameOf(write), write);
        return;
      }
      case "started":
        this.#shown.set(entry.device, new Map(this.#saved.get(entry.device)));
        return;
      case "storageFault":
        // What a full disk does not take is never saved.
        if (entry.how === "full") return;
        this.#saved.delete(entry.device);
        this.#shown.delete(entry.device);
        return;
      case "cloned":
        for (const [name, writes] of this.writtenOn(entry.from))
          this.writtenOn(entry.device).set(name, [...writes]);
        return;
      default:
    }
  }

  wrongIn({ lineage }: Run, { device, space, domains, schema = 1 }: View): string | undefined {
    const { draft } = domains;
    if (!draft) return undefined;
    const seen = new Map<string, Seen>();
    for (const record of draft) seen.set(`${space} draft/${record.key}`, record);
    const should = this.#shown.get(device);
    for (const [name, record] of seen) {
      const writes = this.#written.get(device)?.get(name) ?? [];
      const text = fieldsText(record);
      const write = writes.findLast(({ domain, fields, schema: made }) => {
        if (made > schema) return false;
        const now = schema > made ? lineage.upgrade.whole(domain, fields) : fields;
        return canonicalText(now) === text;
      });
      if (!write) return `shows ${name} as ${text}, and nobody has written that on the device`;
      const newest = should?.get(name);
      if (newest && newest.number > write.number && this.tabs(device).size === 1)
        return `shows ${name} as ${text}, after ${canonicalText(newest.fields)} was written`;
    }
    if (this.tabs(device).size > 1) return undefined;
    for (const name of should?.keys() ?? [])
      if (name.startsWith(`${space} `) && !seen.has(name)) return `does not show ${name}, which was written`;
    return undefined;
  }

  writtenOn(device: string): Map<string, LocalWrite[]> {
    return own(this.#written, device, () => new Map());
  }
}

const nameOf = ({ space, domain, key }: LocalWrite): string => `${space} ${domain}/${key}`;

function fieldsText({ key: _key, $: _meta, ...fields }: Seen): string {
  return canonicalText(fields as Fields);
}

/** What a map has under a name, made where there is none. */
function own<V>(all: Map<string, V>, name: string, make: () => V): V {
  let value = all.get(name);
  if (value === undefined) all.set(name, (value = make()));
  return value;
}
