import { errors } from "jose";
import { LandfallError } from "../landfall-error.js";
import { unauthorized } from "./authenticator.js";

const byClaim: { readonly [claim: string]: string } = {
  aud: "The token is for another audience than this server.",
  iss: "The token comes from another issuer than this server trusts.",
  nbf: "The token is not valid yet.",
  iat: "The token's time of issue is not a time that can be.",
  exp: "The token does not say when it expires (exp), and would be good for ever. Get one that does.",
  sub: "The token has no subject (sub), so it names no user.",
};

/** Says which check of a JSON Web Token failed, without a word of what the token holds. */
export function jwtFailure(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return unauthorized("The token has expired. Sign in again.");
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unauthorized(byClaim[error.claim] ?? "A claim of the token does not hold.");
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return unauthorized(
      "The token is signed by an algorithm that this server does not accept, or not at all.",
    );
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return unauthorized("The token's signature does not hold.");
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return unauthorized("The token is signed by a key that is not among the issuer's keys.");
  }
  if (
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JOSENotSupported
  ) {
    return unauthorized("The token is not a well-formed signed JSON Web Token.");
  }
  return error;
}

/** The keys could not be had: the token may be good, so the client keeps it and asks again. */
export function keysUnavailable(cause: unknown): LandfallError {
  return new LandfallError(
    "unavailable",
    "The issuer's keys cannot be fetched, so no token can be checked just now.",
    {
      retryAfterMs: 5_000,
      cause,
    },
  );
}
