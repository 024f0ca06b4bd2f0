/** Names that would reach the prototype of a plain object; never keys anywhere (DESIGN §5.3). */
const reserved: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** `.` and `..` are no names: no URL can carry them as a part of its path, for every parser resolves them away. */
const pattern = /^(?!\.\.?$)[A-Za-z0-9._~:-]{1,128}$/;

/** Whether a text may name a space, domain, key or partition: 1–128 of `A–Z a–z 0–9 . _ ~ : -` (DESIGN §5.3). */
export function isIdentifier(text: string): boolean {
  return pattern.test(text) && !reserved.has(text);
}

/** Whether a text may name a field; `*` is not one, since it stands for the create stamp. */
export function isFieldName(text: string): boolean {
  return isIdentifier(text);
}

/** Whether a member name may stand in a JSON value of the app's. */
export function isSafeMember(name: string): boolean {
  return !reserved.has(name);
}
