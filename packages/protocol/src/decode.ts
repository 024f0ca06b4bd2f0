import { isIdentifier, isFieldName, isSafeMember } from "./identifier.js";
import type { Json } from "./json.js";
import * as limits from "./limits.js";
import { type Stamp, isStamp } from "./stamp.js";

/**
 * Decoding of what came from outside. A decoder checks a JSON value and gives it back typed, without a
 * copy; its `form` says what it is made of, for `shapeOf`. Nothing of a shape is put into words at run time.
 */
export interface Decoder<T> {
  readonly form: Form;
  /** @throws a private failure that only `decode` may see. */
  read(value: unknown): T;
}

/** What a decoder is made of: a word for a scalar, or its parts. */
export type Form =
  | string
  | { readonly names: readonly (string | number | boolean)[] }
  | {
      readonly item: Decoder<unknown>;
      readonly max: number;
      readonly name?: Decoder<string>;
      readonly required?: string | undefined;
    }
  | { readonly members: Members; readonly open: boolean }
  | { readonly tuple: readonly Decoder<unknown>[] }
  | { readonly either: readonly Decoder<unknown>[] };

export type Infer<D> = D extends Decoder<infer T> ? T : never;

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string };

class Failure {
  path = "";
  constructor(readonly expected: string) {}
}

/**
 * Decodes a value; total: whatever the input, it returns (DESIGN §13). The message names the place and what
 * was expected there; it may quote the input, and is bounded and well-formed so that it can be sent back.
 */
export function decode<T>(decoder: Decoder<T>, value: unknown): Decoded<T> {
  try {
    return { ok: true, value: decoder.read(value) };
  } catch (failure) {
    if (failure instanceof Failure)
      return {
        ok: false,
        message: clipMessage(
          `${failure.path.replace(/^\./, "") || "the message"}: expected ${failure.expected}`,
        ),
      };
    return { ok: false, message: "the message cannot be read" };
  }
}

/** Parses and decodes JSON text; total as `decode` is. */
export function decodeText<T>(decoder: Decoder<T>, text: string): Decoded<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: "the message is not JSON" };
  }
  return decode(decoder, value);
}

/** A text cut to what a message may be on the wire: at most `maxMessageChars` characters, without lone surrogates. */
export function clipMessage(message: string): string {
  return message.slice(0, limits.maxMessageChars).toWellFormed();
}

function fail(expected: string): never {
  // oxlint-disable-next-line typescript/only-throw-error -- a private control value without the cost of a stack trace
  throw new Failure(expected);
}

/** Reads a part of a message; a failure learns on its way up where it happened. */
function readAt(at: string | number, decoder: Decoder<unknown>, value: unknown): void {
  try {
    decoder.read(value);
  } catch (failure) {
    if (failure instanceof Failure)
      failure.path = (typeof at === "number" ? `[${at}]` : `.${at.slice(0, 130)}`) + failure.path;
    throw failure;
  }
}

function scalar<T>(form: Form, accepts: (value: unknown) => boolean, expected: string): Decoder<T> {
  return { form, read: (value) => (accepts(value) ? (value as T) : fail(expected)) };
}

export const boolean: Decoder<boolean> = /* @__PURE__ */ scalar(
  "bool",
  (v) => typeof v === "boolean",
  "true or false",
);
export const uint: Decoder<number> = /* @__PURE__ */ scalar(
  "uint",
  (v) => Number.isSafeInteger(v) && (v as number) >= 0,
  "a whole number from 0 to 2^53-1",
);
export const positive: Decoder<number> = /* @__PURE__ */ scalar(
  "uint+",
  (v) => Number.isSafeInteger(v) && (v as number) > 0,
  "a whole number from 1 to 2^53-1",
);
export const finite: Decoder<number> = /* @__PURE__ */ scalar(
  "number",
  (v) => Number.isFinite(v),
  "a finite number",
);
const nameCharacters = "1–128 characters of A–Z a–z 0–9 . _ ~ : -";
export const identifier: Decoder<string> = /* @__PURE__ */ scalar(
  "id",
  (v) => typeof v === "string" && isIdentifier(v),
  nameCharacters,
);
export const fieldName: Decoder<string> = /* @__PURE__ */ scalar(
  "field",
  (v) => typeof v === "string" && isFieldName(v),
  nameCharacters,
);
/** Whose stamp: that of a field, or of the create. */
export const stampName: Decoder<string> = /* @__PURE__ */ scalar(
  "field|*",
  (v) => v === "*" || (typeof v === "string" && isFieldName(v)),
  "* or a field name",
);
export const stamp: Decoder<Stamp> = /* @__PURE__ */ scalar(
  "stamp",
  (v) => typeof v === "string" && isStamp(v),
  "a lower-case UUID of version 7",
);
export const digits32: Decoder<string> = /* @__PURE__ */ scalar(
  "hex32",
  (v) => typeof v === "string" && /^[0-9a-f]{32}$/.test(v),
  "32 lower-case hex digits",
);
export const setMember: Decoder<string | number | boolean> = /* @__PURE__ */ scalar(
  "member",
  (v) => typeof v === "boolean" || Number.isFinite(v) || (typeof v === "string" && v.isWellFormed()),
  "a string, a finite number or a boolean",
);

/** Text of at most so many characters, without lone surrogates. */
export function text(maxChars: number): Decoder<string> {
  return scalar(
    `text${maxChars}`,
    (v) => typeof v === "string" && v.length <= maxChars && v.isWellFormed(),
    `well-formed text of at most ${maxChars} characters`,
  );
}

/** Bytes, at most so many, as base64url; whether the text is the only one for them is seen when it is read. */
export function base64url(maxBytes: number): Decoder<string> {
  return scalar(
    `base64url${maxBytes}`,
    (v) => typeof v === "string" && v.length <= Math.ceil((maxBytes * 4) / 3) && /^[\w-]*$/.test(v),
    `base64url of at most ${maxBytes} bytes`,
  );
}

export function literal<const T extends string | number | boolean>(expected: T): Decoder<T> {
  return scalar({ names: [expected] }, (v) => v === expected, JSON.stringify(expected));
}

export function oneOf<const T extends string>(...names: readonly T[]): Decoder<T> {
  return scalar({ names }, (v) => names.includes(v as T), names.join(" or "));
}

function checkJson(value: unknown, depth: number): void {
  if (value === null || typeof value === "boolean") return;
  if (typeof value === "string") {
    if (!value.isWellFormed()) fail("text without lone surrogates");
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) fail("a finite number");
  } else if (typeof value !== "object") fail("a JSON value");
  else if (depth <= 0) fail(`at most ${limits.maxDepth} levels of nesting`);
  else if (Array.isArray(value)) {
    for (const item of value) checkJson(item, depth - 1);
  } else {
    for (const name of Object.keys(value)) {
      if (!isSafeMember(name) || !name.isWellFormed())
        fail(`a member name other than ${JSON.stringify(name.slice(0, 40))}`);
      checkJson((value as Record<string, unknown>)[name], depth - 1);
    }
  }
}

/** Any JSON value of bounded depth. */
export const json: Decoder<Json> = {
  form: "json",
  read(value) {
    checkJson(value, limits.maxDepth);
    return value as Json;
  },
};

export function array<T>(item: Decoder<T>, maxItems: number): Decoder<readonly T[]> {
  return {
    form: { item, max: maxItems },
    read(value) {
      if (!Array.isArray(value)) fail("a list");
      if ((value as unknown[]).length > maxItems) fail(`at most ${maxItems} items`);
      for (let i = 0; i < (value as unknown[]).length; i++) readAt(i, item, (value as unknown[])[i]);
      return value as T[];
    },
  };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is an object that has a member of this name itself. */
export const hasMember = (value: unknown, name: string): boolean =>
  isPlainObject(value) && Object.hasOwn(value, name);

/** An object used as a map, every name decoded by `name` and every value by `item`; `required` is a name that it must have. */
export function map<T>(
  name: Decoder<string>,
  item: Decoder<T>,
  maxItems: number,
  required?: string,
): Decoder<{ readonly [name: string]: T }> {
  return {
    form: { name, item, max: maxItems, required },
    read(value) {
      if (!isPlainObject(value)) return fail("an object");
      const names = Object.keys(value);
      if (names.length > maxItems) fail(`at most ${maxItems} members`);
      if (required !== undefined && !Object.hasOwn(value, required)) fail(`a member "${required}"`);
      for (const key of names) {
        readAt(key, name, key);
        readAt(key, item, value[key]);
      }
      return value as { readonly [name: string]: T };
    },
  };
}

export interface Optional<T> {
  readonly optional: Decoder<T>;
}
export const optional = <T>(decoder: Decoder<T>): Optional<T> => ({ optional: decoder });

type Members = { readonly [name: string]: Decoder<unknown> | Optional<unknown> };
type ReadMembers<M extends Members> = {
  readonly [K in keyof M as M[K] extends Optional<unknown> ? never : K]: M[K] extends Decoder<infer T>
    ? T
    : never;
} & {
  readonly [K in keyof M as M[K] extends Optional<unknown> ? K : never]?: M[K] extends Optional<infer T>
    ? T
    : never;
};
type Flat<T> = { [K in keyof T]: T[K] };

function members<M extends Members>(
  declared: M,
  open: boolean,
  readOther: (name: string, value: unknown) => void,
): Decoder<Flat<ReadMembers<M>>> {
  const decoders = Object.entries(declared).map(([name, member]) =>
    "optional" in member
      ? { name, decoder: member.optional, required: false }
      : { name, decoder: member, required: true },
  );
  return {
    form: { members: declared, open },
    read(value) {
      if (!isPlainObject(value)) return fail("an object");
      let seen = 0;
      for (const { name, decoder, required } of decoders) {
        const present = Object.hasOwn(value, name);
        if (!present) {
          if (required) fail(`a member "${name}"`);
          continue;
        }
        seen += 1;
        readAt(name, decoder, value[name]);
      }
      if (seen === Object.keys(value).length) return value as Flat<ReadMembers<M>>;
      for (const name of Object.keys(value)) if (!Object.hasOwn(declared, name)) readOther(name, value[name]);
      return value as Flat<ReadMembers<M>>;
    },
  };
}

/** An object with these members and no others; what clients send is read so. */
export const object = <M extends Members>(declared: M): Decoder<Flat<ReadMembers<M>>> =>
  members(declared, false, (name) =>
    fail(`no member "${name.slice(0, 40)}"; known are ${Object.keys(declared).join(", ")}`),
  );

/** An object with at least these members; what servers send is read so, since a newer one may say more. */
export const openObject = <M extends Members>(declared: M): Decoder<Flat<ReadMembers<M>>> =>
  members(declared, true, (name, value) => {
    // What a newer server adds stays in the object, so it must be harmless to whoever copies or stores it.
    if (!isSafeMember(name)) fail(`no member "${name}"`);
    checkJson(value, limits.maxDepth);
  });

/**
 * One of several objects, told apart by the value of a member.
 *
 * @param otherwise reads the objects whose member is missing or says something else; they are refused when absent.
 */
export function tagged<V extends { readonly [value: string]: Decoder<unknown> }>(
  tag: string,
  variants: V,
  otherwise: Decoder<unknown> = openObject({ [tag]: oneOf(...Object.keys(variants)) }),
): Decoder<Infer<V[keyof V]>> {
  const pick = (value: unknown): Decoder<unknown> => {
    const name = isPlainObject(value) && value[tag];
    return typeof name === "string" && Object.hasOwn(variants, name)
      ? (variants[name] ?? otherwise)
      : otherwise;
  };
  return choose(Object.values(variants), pick) as Decoder<Infer<V[keyof V]>>;
}

/** A tuple of fixed length. */
export function tuple<const D extends readonly Decoder<unknown>[]>(
  ...items: D
): Decoder<{ readonly [I in keyof D]: Infer<D[I]> }> {
  return {
    form: { tuple: items },
    read(value) {
      if (!Array.isArray(value) || value.length !== items.length) return fail(`a list of ${items.length}`);
      items.forEach((item, i) => readAt(i, item, value[i]));
      return value as unknown as { readonly [I in keyof D]: Infer<D[I]> };
    },
  };
}

/** A decoder chosen by looking at the value. */
export function choose<T>(variants: readonly Decoder<T>[], pick: (value: unknown) => Decoder<T>): Decoder<T> {
  return {
    form: { either: variants },
    read: (value) => pick(value).read(value),
  };
}
