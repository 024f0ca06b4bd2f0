/** The replica of data that was made before anybody signed in; no user has this id, for a user's is never empty. */
export const guestAccount = "";

/** What a JWT says of itself (RFC 7519 §4.1), as a hint: nothing is verified here. Of any other token, nothing. */
export function claimsOf(token: string): { readonly sub?: unknown; readonly exp?: unknown } {
  try {
    const payload = (token.split(".")[1] as string).replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(payload), (char) => char.charCodeAt(0));
    return Object(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return {};
  }
}

/**
 * Whose replica a token opens: the subject of a JWT, or the user of a development token. A hint only, for naming what
 * is stored here; the server decides who somebody is. Undefined when it does not say.
 */
export function accountOf(token: string): string | undefined {
  const sub = token.startsWith("dev:") ? token.slice(4) : claimsOf(token).sub;
  return typeof sub === "string" && sub !== "" ? sub : undefined;
}

/** A name that any file system and database takes, different for different accounts. */
export function storageName(app: string, account: string): string {
  const safe = (text: string): string =>
    text.replace(/[^a-z0-9-]/g, (char) => `_${(char.codePointAt(0) as number).toString(16)}_`);
  return account === guestAccount ? `${safe(app)}.guest` : `${safe(app)}.account.${safe(account)}`;
}
