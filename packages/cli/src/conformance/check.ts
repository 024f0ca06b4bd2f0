import type { Bench } from "./bench.js";

/** One thing that a server is asked, and what it must do: black box, over HTTP and the socket only. */
export interface Check {
  /** `group/name`; `--only` takes either. */
  readonly id: string;
  /** Where the rule stands in docs/protocol.md: `rule 3`, or the heading of a shape. */
  readonly rule: string;
  /** What is asked, in words. */
  readonly asks: string;
  /** @throws Departure where the server does otherwise, Skipped where it cannot be asked. */
  readonly run: (bench: Bench) => Promise<void>;
}

/** The server did something else than the protocol says. */
export class Departure extends Error {
  override readonly name = "Departure";
}

/** The check could not be asked; the message says why, and what would make it possible. */
export class Skipped extends Error {
  override readonly name = "Skipped";
}

/** @throws Departure unless `holds`. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Departure(what);
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 400);

/** @throws Departure unless both are the same JSON; the order of members does not count. */
export function same(what: string, found: unknown, wanted: unknown): void {
  if (!sameValue(found, wanted)) throw new Departure(`${what}: found ${shown(found)}, not ${shown(wanted)}`);
}

/** @throws Departure unless `found` has everything that `wanted` has; it may have more members, but no more items. */
export function has(what: string, found: unknown, wanted: unknown): void {
  if (!contains(found, wanted)) throw new Departure(`${what}: found ${shown(found)}, not ${shown(wanted)}`);
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function sameValue(a: unknown, b: unknown): boolean {
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && sameValue(a[name], b[name]))
    );
  }
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, at) => sameValue(item, b[at]));
  return a === b;
}

function contains(found: unknown, wanted: unknown): boolean {
  if (isObject(wanted))
    return (
      isObject(found) &&
      Object.keys(wanted).every((name) =>
        wanted[name] === undefined ? !Object.hasOwn(found, name) : contains(found[name], wanted[name]),
      )
    );
  if (Array.isArray(wanted))
    return (
      Array.isArray(found) &&
      found.length === wanted.length &&
      wanted.every((item, at) => contains(found[at], item))
    );
  return found === wanted;
}
