import { limits } from "@landfall/protocol";

/** What `isUserId` asks for, in words. */
export const userIdKind = `1–${limits.maxNameChars} characters of text, none of them U+0000`;

/** Whether a text may be the id of a user. SQLite gives a text back up to its first U+0000: such a member could not be removed. */
export function isUserId(id: unknown): id is string {
  return (
    typeof id === "string" &&
    id.length >= 1 &&
    id.length <= limits.maxNameChars &&
    id.isWellFormed() &&
    !id.includes("\0")
  );
}
