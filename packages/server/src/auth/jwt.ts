import { type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import { refuseUnknown } from "../known-options.js";
import type { Authenticated, Authenticator } from "./authenticator.js";
import { jwtFailure } from "./jwt-failure.js";

/** What a token must say to be taken, whatever it is signed with. */
export interface ClaimChecks {
  /** Who must have issued it (`iss`). */
  readonly issuer?: string | readonly string[];
  /** Whom it must be for (`aud`). */
  readonly audience?: string | readonly string[];
  /** How far the clocks of issuer and server may be apart; 5 s unless set. */
  readonly clockToleranceMs?: number;
}

export interface JwtOptions extends ClaimChecks {
  /** The secret shared with whoever issues the tokens: at least 32 bytes (RFC 7518 §3.2). */
  readonly secret: string | Uint8Array | undefined;
  /** Takes tokens that never expire (no `exp`) as well: whoever has one has it for ever. They are refused unless set. */
  readonly allowUnexpiring?: boolean;
}

const defaultToleranceMs = 5_000;

/** Every check of a claim that there is; what the compiler holds to be whole. */
export const knownChecks: { readonly [name in keyof ClaimChecks]-?: true } = {
  issuer: true,
  audience: true,
  clockToleranceMs: true,
};
const known: { readonly [name in keyof JwtOptions]-?: true } = {
  secret: true,
  allowUnexpiring: true,
  ...knownChecks,
};

/** The options of a check at a given time. */
export function verifyOptions(
  checks: ClaimChecks,
  algorithms: readonly string[],
  nowMs: number,
  requiredClaims: readonly string[],
): JWTVerifyOptions {
  return {
    algorithms: [...algorithms],
    requiredClaims: [...requiredClaims],
    currentDate: new Date(nowMs),
    clockTolerance: (checks.clockToleranceMs ?? defaultToleranceMs) / 1_000,
    ...(checks.issuer === undefined ? {} : { issuer: [checks.issuer].flat() }),
    ...(checks.audience === undefined ? {} : { audience: [checks.audience].flat() }),
  };
}

/** The user of a token that was checked. The tolerance is added, or a token would be good for requests and bad for sockets. */
export function userOf(payload: JWTPayload, checks: ClaimChecks): Authenticated {
  const id = payload.sub as string;
  if (payload.exp === undefined) return { id };
  return { id, expiresAt: payload.exp * 1_000 + (checks.clockToleranceMs ?? defaultToleranceMs) };
}

/**
 * JSON Web Tokens signed with a shared secret by HS256 and nothing else. The user is `sub`; `exp` is required.
 * @throws Error at once where the secret is missing or too short to be one, and where a check is named and not given.
 */
export function jwt(options: JwtOptions): Authenticator {
  refuseUnknown("jwt()", options, known);
  for (const name of ["issuer", "audience"] as const)
    if (Object.hasOwn(options, name) && [options[name]].flat().every((value) => !value))
      throw new Error(
        `jwt() was given ${name}, and nothing in it. Name it, or leave it out: then it is not looked at, and tokens made for other services that share the secret are taken.`,
      );
  const secret =
    typeof options.secret === "string" ? new TextEncoder().encode(options.secret) : options.secret;
  if (secret === undefined || secret.length < 32) {
    throw new Error(
      `jwt() needs a secret of at least 32 bytes, and was given ${secret === undefined ? "none" : `${secret.length}`}. ` +
        "Make one with: openssl rand -base64 32",
    );
  }
  const required = options.allowUnexpiring === true ? ["sub"] : ["sub", "exp"];
  const key = crypto.subtle.importKey(
    "raw",
    new Uint8Array(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["verify"],
  );
  return async (token, { nowMs }) => {
    try {
      const { payload } = await jwtVerify(
        token,
        await key,
        verifyOptions(options, ["HS256"], nowMs, required),
      );
      return userOf(payload, options);
    } catch (error) {
      throw jwtFailure(error);
    }
  };
}
