import type { InboxChoice, InboxItem } from "@landfall/client";
import { count } from "./time-words.js";

/** What the words about an item need of the site as it is now. */
export interface SiteLookup {
  /** How a record is called; undefined where there is none. */
  nameOf(domain: string, key: string): string | undefined;
  /** What a field holds now; undefined where it is empty or the record is gone. */
  fieldOf(domain: string, key: string, field: string): unknown;
  /** How many records belong to a project. */
  below(project: string): number;
  /** A time, for people. */
  time(at: number): string;
  /** A user's name, for people. */
  person(user: string): string;
}

export interface Line {
  readonly label: string;
  readonly value: string;
}

/** An inbox item in a person's words. */
export interface InboxCard {
  /** What it is about: "Project Harbour wall". */
  readonly about: string;
  /** What happened, in a sentence. */
  readonly headline: string;
  /** Why, and what follows, where the headline does not say all. */
  readonly explanation: string;
  /** What the person did. */
  readonly did: string;
  readonly tried: readonly Line[];
  /** What stands in its place, where there is something to compare. */
  readonly stands: readonly Line[];
  /** Whether another number would mend it. */
  readonly needsNumber: boolean;
  /** The key of the project that it belongs to, where that was deleted: it needs another, or that one back. */
  readonly goneProject: string | undefined;
  readonly choices: readonly { readonly choice: InboxChoice; readonly label: string }[];
}

const domainNames: { readonly [domain: string]: string } = {
  site: "Site",
  project: "Project",
  controlpoint: "Control point",
  deviation: "Deviation",
};

const fieldNames: { readonly [field: string]: string } = {
  number: "Number",
  name: "Name",
  place: "Place",
  status: "Status",
  visits: "Visits",
  tags: "Tags",
  projectId: "Project",
  pointId: "Control point",
  title: "Title",
  details: "Details",
  severity: "Severity",
  check: "Check",
  reported: "Reported",
  closed: "Closed",
};

const headlines: { readonly [code: string]: string } = {
  not_unique: "Another project already has this number.",
  deleted: "It was deleted before your change arrived.",
  missing: "It is no longer there.",
  depends_on: "What it belongs to was never created.",
  forbidden: "You may read this site, but not write to it.",
  revoked: "You lost access to this site before your change arrived.",
  wiped: "The site was emptied before your change arrived.",
  expectation_failed: "It had changed before your change arrived.",
  too_large: "It is too large for the server.",
};

const choiceLabels: { readonly [C in InboxChoice]: string } = {
  retry: "Try again",
  writeAgain: "Write mine again",
  keepCopy: "Keep as a copy",
  dismiss: "Dismiss",
};

const verbs: { readonly [op: string]: string } = {
  create: "You added it",
  put: "You saved it",
  restore: "You brought it back",
  update: "You changed it",
  increment: "You counted",
  add: "You added to it",
  remove: "You took away from it",
  delete: "You deleted it",
  deleteMany: "You deleted records",
};

/** Says what an item is about, what was tried, what stands, and what can be done. */
export function inboxCard(item: InboxItem, site: SiteLookup): InboxCard {
  const { kind, domain = "", key = "", code = "" } = item;
  const needsNumber = domain === "project" && code === "not_unique";
  const canCopy = isCopyOfUse(item, site);
  const goneProject = goneProjectOf(item, site);
  const choices = item.choices
    .filter((choice) => (choice !== "keepCopy" || canCopy) && (choice !== "retry" || !goneProject))
    .map((choice) => ({ choice, label: choiceLabels[choice] }));
  const tried = triedLines(item, site);
  const common = {
    about: aboutOf(item, site),
    did: `${didOf(item)}, ${site.time(item.madeAt)}`,
    tried,
    choices,
    needsNumber,
    goneProject,
  };
  if (kind === "superseded") {
    const gone = site.nameOf(domain, key) === undefined;
    return {
      ...common,
      headline: gone
        ? "Somebody else’s change came later, and then it was deleted."
        : "Somebody else’s change came later, so theirs stands.",
      explanation: "",
      stands: gone
        ? []
        : [
            {
              label: labelOf(item.field ?? ""),
              value: valueWords(item.field ?? "", site.fieldOf(domain, key, item.field ?? ""), site),
            },
          ],
    };
  }
  if (kind === "lost") {
    return {
      ...common,
      headline: "The server was restored from a backup and no longer has this.",
      explanation: item.reason,
      stands: [],
    };
  }
  const headline = headlines[code] ?? "The server refused this change.";
  return {
    ...common,
    headline: goneProject ? "Its project was deleted before your change arrived." : headline,
    explanation: explanationOf(item, site, canCopy),
    stands: kind === "rejected" ? standingLines(item, tried, site) : [],
  };
}

function explanationOf(item: InboxItem, site: SiteLookup, canCopy: boolean): string {
  const { code = "", reason } = item;
  if (code === "not_unique") {
    const below = isRefusedProject(item) ? site.below(item.key ?? "") : 0;
    const lost =
      below > 0 ? ` Dismissing it also deletes the ${count(below, "record")} that you put under it.` : "";
    return `Give yours another number, or dismiss it.${lost}`;
  }
  if (code === "deleted") {
    if (canCopy) return "A copy brings it back as a new record, with what you wrote.";
    return goneProjectOf(item, site) ? "Put it under another project, or bring its project back." : "";
  }
  return code in headlines ? "" : reason;
}

const projectOf = ({ before, tried }: InboxItem): string | undefined =>
  ({ ...before, ...(tried as object | undefined) } as { readonly projectId?: string }).projectId;

/** Whether a copy would stand: not with a number that is taken, and not under a project that is gone. */
function isCopyOfUse(item: InboxItem, site: SiteLookup): boolean {
  const { code, domain, choices } = item;
  if (!choices.includes("keepCopy") || (domain === "project" && code === "not_unique")) return false;
  const project = projectOf(item);
  return project === undefined || site.nameOf("project", project) !== undefined;
}

function goneProjectOf(item: InboxItem, site: SiteLookup): string | undefined {
  const project = item.code === "deleted" ? projectOf(item) : undefined;
  return project !== undefined && site.nameOf("project", project) === undefined ? project : undefined;
}

/** The whole record that an item is about, to be put under a project; what it refers to and is gone is left out. */
export function recordUnder(item: InboxItem, projectId: string, site: SiteLookup): object {
  const { pointId, ...rest } = { ...item.before, ...(item.tried as object) } as { readonly pointId?: string };
  const hasPoint = pointId !== undefined && site.fieldOf("controlpoint", pointId, "projectId") === projectId;
  return { ...rest, projectId, ...(hasPoint && { pointId }) };
}

/** Whether a project was never created, so that what was put under it belongs to nothing. */
export function isRefusedProject({ kind, domain, key, event }: InboxItem): boolean {
  const op = event?.ops?.find((one) => one.op === "create" && one.key === key);
  return kind === "rejected" && domain === "project" && op !== undefined;
}

function aboutOf({ domain, key, tried, event, before, row }: InboxItem, site: SiteLookup): string {
  if (domain === undefined)
    return event?.action === "closeProject" ? aboutAction(tried, site) : `Action ${event?.action ?? ""}`;
  const given = { ...fieldsOf(row), ...before, ...(tried as object | undefined) } as {
    readonly name?: unknown;
    readonly title?: unknown;
  };
  const name =
    (key === undefined ? undefined : site.nameOf(domain, key)) ?? firstText(given.name, given.title);
  return [domainNames[domain] ?? domain, name === undefined ? "" : `“${name}”`].join(" ").trim();
}

const fieldsOf = (row: InboxItem["row"]): object | undefined =>
  row && !row.deleted ? row.fields : undefined;

function aboutAction(args: unknown, site: SiteLookup): string {
  const { id } = (args ?? {}) as { readonly id?: unknown };
  const name = typeof id === "string" ? site.nameOf("project", id) : undefined;
  return name === undefined ? "Closing a project" : `Closing project “${name}”`;
}

const firstText = (...values: readonly unknown[]): string | undefined =>
  values.find((value): value is string => typeof value === "string");

function didOf({ kind, event, domain, key }: InboxItem): string {
  if (kind === "lost") return "It was last confirmed here";
  if (event?.action) return "You closed it";
  const op = event?.ops?.find((one) => one.domain === domain && (one.op === "deleteMany" || one.key === key));
  return (op && verbs[op.op]) ?? "You changed it";
}

function triedLines({ kind, field, tried, row, event, key }: InboxItem, site: SiteLookup): readonly Line[] {
  if (field !== undefined) return [{ label: labelOf(field), value: valueWords(field, tried, site) }];
  const fields = kind === "lost" ? fieldsOf(row) : tried;
  const isNew = event?.ops?.some((op) => op.op === "create" && op.key === key) ?? false;
  if (typeof fields !== "object" || fields === null) return [];
  return Object.entries(fields)
    .filter(([name, value]) => name in fieldNames && !(isNew && isUntouched(name, value)))
    .map(([name, value]) => ({ label: labelOf(name), value: valueWords(name, value, site) }));
}

/** What a new record has by itself, which nobody wrote. */
function isUntouched(field: string, value: unknown): boolean {
  return (
    (field === "visits" && value === 0) ||
    (field === "tags" && Array.isArray(value) && value.length === 0) ||
    (field === "status" && value === "open")
  );
}

/** What the fields that were tried hold now, where the record is still there and differs. */
function standingLines(
  { domain, key, tried }: InboxItem,
  lines: readonly Line[],
  site: SiteLookup,
): readonly Line[] {
  if (
    domain === undefined ||
    key === undefined ||
    site.nameOf(domain, key) === undefined ||
    typeof tried !== "object" ||
    tried === null
  )
    return [];
  const standing = Object.keys(tried)
    .filter((name) => name in fieldNames)
    .map((name) => ({
      label: labelOf(name),
      value: valueWords(name, site.fieldOf(domain, key, name), site),
    }));
  return standing.some(({ value }, index) => value !== lines[index]?.value) ? standing : [];
}

const labelOf = (field: string): string => fieldNames[field] ?? field;

/** A field's value, for people. */
export function valueWords(
  field: string,
  value: unknown,
  site: Pick<SiteLookup, "nameOf" | "time" | "person">,
): string {
  if (value === undefined || value === null || value === "")
    return field === "check" ? "Not checked" : "empty";
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(", ");
  if (typeof value === "object") {
    const { by, at, result } = value as {
      readonly by?: string;
      readonly at?: number;
      readonly result?: "ok" | "failed";
    };
    const what = result === undefined ? "Yes" : result === "ok" ? "OK" : "Not OK";
    return by === undefined || at === undefined
      ? JSON.stringify(value)
      : `${what} (${site.person(by)}, ${site.time(at)})`;
  }
  if (field === "projectId") return site.nameOf("project", String(value)) ?? "a project that is gone";
  if (field === "pointId")
    return site.nameOf("controlpoint", String(value)) ?? "a control point that is gone";
  if (field === "severity" || field === "status") return capital(String(value));
  return String(value);
}

export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
