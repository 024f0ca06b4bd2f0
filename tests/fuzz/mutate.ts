import type { Random } from "@landfall/protocol/shaped-values.fixture";
import { junk } from "@landfall/protocol/shaped-values.fixture";

type Container = unknown[] | { [name: string]: unknown };

const isContainer = (value: unknown): value is Container => typeof value === "object" && value !== null;

/** Texts that have broken parsers before. */
const oddTexts = [
  "\u0000",
  "\ud83d",
  "\u202e",
  "\ufeff",
  "{}",
  "%00",
  "../",
  "'; --",
  "\n",
  "😀".repeat(50),
  "1e400",
];
const oddNames = ["__proto__", "constructor", "toString", "", "type", "length", "*", "a b", "\ud800"];

/** Something that fits nowhere; a copy, since it may be changed again. */
export const oddValue = (random: Random): unknown => structuredClone(random.pick(junk));

/** Names of members that a list takes as well. */
const placeIn = (container: Container, name: string): string =>
  Array.isArray(container) && name === "length" ? "0" : name;

/** Sets a member of the value's own, `__proto__` too. */
function put(container: Container, name: string, value: unknown): void {
  Object.defineProperty(container, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Changes one place of a JSON value, chosen at random: what stands there, its name, or its neighbours. The value itself may be replaced. */
export function mutateValue(value: unknown, random: Random): unknown {
  const places: (readonly [Container, string])[] = [];
  const visit = (at: unknown, depth: number): void => {
    if (!isContainer(at) || depth > 12 || places.length > 500) return;
    for (const name of Object.keys(at)) {
      places.push([at, name]);
      visit((at as { [name: string]: unknown })[name], depth + 1);
    }
  };
  visit(value, 0);
  if (places.length === 0 || random.below(40) === 0) return oddValue(random);
  const [container, name] = random.pick(places);
  const object = container as { [name: string]: unknown };
  const standing = object[name];
  switch (random.below(8)) {
    case 0:
      delete object[name];
      break;
    case 1:
      put(container, placeIn(container, random.pick(oddNames)), standing);
      break;
    case 2:
      object[name] =
        typeof standing === "number"
          ? random.pick([standing + 1, -standing, standing + 0.5, 2 ** 53, 0])
          : typeof standing;
      break;
    case 3:
      object[name] = typeof standing === "string" ? standing + random.pick(oddTexts) : [standing];
      break;
    case 4:
      if (Array.isArray(container)) container.push(standing, oddValue(random));
      else object[name] = { [name]: standing };
      break;
    case 5: {
      // Something of the right kind from another place.
      const [other, from] = random.pick(places);
      const taken = (other as { [name: string]: unknown })[from];
      object[name] = isContainer(taken) ? (JSON.parse(JSON.stringify(taken) ?? "null") as unknown) : taken;
      break;
    }
    default:
      object[name] = oddValue(random);
  }
  return value;
}

/** JSON text of whatever a mutation left; what JSON cannot say becomes what it says nearly. */
export function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "";
  }
}

/** Damages a text: cut off, doubled in parts, with other characters in it. */
export function mutateText(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const to = Math.min(text.length, at + random.below(20));
  switch (random.below(7)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(at);
    case 2:
      return text.slice(0, at) + text.slice(at, to) + text.slice(at);
    case 3:
      return text.slice(0, at) + text.slice(to);
    case 4:
      return text.slice(0, at) + random.pick(oddTexts) + text.slice(at);
    case 5:
      return (
        text.slice(0, at) +
        random.pick(['"', "{", "[", "}", ",", ":", "\\", "0", "-", "e9", "null"]) +
        text.slice(to)
      );
    default:
      return (
        text.slice(0, at) +
        String.fromCharCode(random.below(random.pick([128, 0x1_0000]))) +
        text.slice(at + 1)
      );
  }
}

/** Turns bits over in the bytes of a text. */
export function flipBits(text: string, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.from(text, "utf8"));
  for (let flips = 1 + random.below(3); flips > 0 && bytes.length > 0; flips--) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  }
  return bytes;
}
