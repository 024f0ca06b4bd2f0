import { type FetchImplementation, createRemoteJWKSet, customFetch, errors, jwtVerify } from "jose";
import type { Authenticator } from "./authenticator.js";
import { refuseUnknown } from "../known-options.js";
import { type ClaimChecks, knownChecks, userOf, verifyOptions } from "./jwt.js";
import { jwtFailure, keysUnavailable } from "./jwt-failure.js";

export interface JwksOptions extends ClaimChecks {
  /** Where the issuer publishes its keys (RFC 7517), usually `…/.well-known/jwks.json`. */
  readonly url: string | URL;
  readonly issuer: string | readonly string[];
  readonly audience: string | readonly string[];
  /** How long an unknown key id does not make the keys be fetched again; 30 s unless set. */
  readonly cooldownMs?: number;
  /** How long the fetch of the keys may take; 5 s unless set. */
  readonly timeoutMs?: number;
  /** The platform's unless set. */
  readonly fetch?: FetchImplementation;
}

const known: { readonly [name in keyof JwksOptions]-?: true } = {
  url: true,
  cooldownMs: true,
  timeoutMs: true,
  fetch: true,
  ...knownChecks,
};

/** Signatures by a private key only: a public key must never pass as the secret of an HMAC (RFC 8725 §2.1). */
const asymmetric = [
  "EdDSA",
  "Ed25519",
  "ES256",
  "ES384",
  "ES512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
];

/** After a fetch of the keys has failed, none is tried for so long: forged tokens must not become a flood at the issuer. */
const failureCooldownMs = 1_000;

/**
 * JSON Web Tokens of an identity provider, checked with its public keys. Issuer and audience are required and
 * checked, as are `sub` (the user) and `exp`.
 * @throws Error at once where issuer or audience is missing.
 */
export function jwks(options: JwksOptions): Authenticator {
  refuseUnknown("jwks()", options, known);
  for (const name of ["url", "issuer", "audience"] as const) {
    const values = [options[name]].flat().filter((value) => value !== undefined && value !== "");
    if (values.length === 0) {
      throw new Error(`jwks() needs ${name}: without it, a token made for another service would be taken.`);
    }
  }
  if (!URL.canParse(String(options.url)))
    throw new Error(
      `jwks() needs url to be an address such as https://id.example.org/.well-known/jwks.json, and was given ${JSON.stringify(options.url)}.`,
    );
  const fetchKeys = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  let nowMs = 0;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  const keys = createRemoteJWKSet(new URL(options.url), {
    cooldownDuration: options.cooldownMs ?? 30_000,
    timeoutDuration: options.timeoutMs ?? 5_000,
    [customFetch]: async (url, init) => {
      if (nowMs < failedAtMs + failureCooldownMs) {
        throw keysUnavailable(new Error("The last fetch of the keys has just failed."));
      }
      try {
        const response = await fetchKeys(url, init);
        if (response.status !== 200)
          throw new Error(`The issuer answered ${response.status} instead of its keys.`);
        return response;
      } catch (error) {
        failedAtMs = nowMs;
        throw keysUnavailable(error);
      }
    },
  });
  return async (token, context) => {
    nowMs = context.nowMs;
    try {
      const check = verifyOptions(options, asymmetric, context.nowMs, ["sub", "exp"]);
      return userOf((await jwtVerify(token, keys, check)).payload, options);
    } catch (error) {
      if (
        error instanceof errors.JWKSTimeout ||
        error instanceof errors.JWKSInvalid ||
        isBareJoseError(error)
      ) {
        failedAtMs = nowMs;
        throw keysUnavailable(error);
      }
      throw jwtFailure(error);
    }
  };
}

/** The library's error for a key set that is not JSON has no class of its own. */
function isBareJoseError(error: unknown): boolean {
  return error instanceof errors.JOSEError && error.constructor === errors.JOSEError;
}
