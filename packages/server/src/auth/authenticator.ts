import { limits } from "@landfall/protocol";
import { isUserId, userIdKind } from "../access/user-id.js";
import type { User } from "../engine-types.js";
import { LandfallError } from "../landfall-error.js";

/** Whom a token stands for. */
export interface Authenticated extends User {
  /** When the token ends, in milliseconds since 1970; sockets are closed then. Absent: it does not end by itself. */
  readonly expiresAt?: number;
}

/** What an authenticator is told besides the token. */
export interface AuthContext {
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Whether the server was started for development, by `landfall dev` or `createServer({ development: true })`. */
  readonly development: boolean;
}

/**
 * The port for signing in: says whom a bearer token stands for. Any function will do. Returning undefined
 * refuses the token; a LandfallError with the code `unauthorized` refuses it with words of its own; any
 * other error is a failure of the function's and answers 500, so that a database that is down signs nobody out.
 */
export interface Authenticator {
  (token: string, context: AuthContext): Authenticated | undefined | Promise<Authenticated | undefined>;
  /** Set where the tokens prove nothing; `createServer` then refuses to start except for development. */
  readonly developmentOnly?: true;
}

/** A refusal with the code `unauthorized`; the message says which check failed and repeats nothing of the token. */
export function unauthorized(message: string): LandfallError {
  return new LandfallError("unauthorized", message);
}

const bearer = /^bearer +([!-~]+) *$/i;

/**
 * The token of an `Authorization: Bearer …` header (RFC 6750 §2.1).
 * @throws LandfallError `unauthorized`
 */
export function bearerToken(header: string | undefined): string {
  if (header === undefined || header === "") {
    throw unauthorized("The request has no token. Send it as: Authorization: Bearer <token>.");
  }
  const token = bearer.exec(header)?.[1];
  if (token === undefined) throw unauthorized("The Authorization header is not of the form: Bearer <token>.");
  return token;
}

/**
 * Asks the authenticator and checks what it says: an id of 1–256 characters, and an end that has not come.
 * @throws LandfallError `unauthorized`, or what the authenticator threw.
 */
export async function authenticate(
  authenticator: Authenticator,
  token: string,
  context: AuthContext,
): Promise<Authenticated> {
  if (token === "" || token.length > limits.maxTokenChars) {
    throw unauthorized(`The token is empty, or longer than ${limits.maxTokenChars} characters.`);
  }
  const found = await authenticator(token, context);
  // Apps in JavaScript give null as often as undefined.
  if (!found) throw unauthorized("The token was not accepted. Sign in again.");
  const { id, expiresAt } = found;
  if (!isUserId(id)) throw unauthorized(`The token names no user, or one whose id is not ${userIdKind}.`);
  if (expiresAt === undefined) return { id };
  if (!(expiresAt > context.nowMs)) throw unauthorized("The token has expired. Sign in again.");
  return { id, expiresAt };
}
