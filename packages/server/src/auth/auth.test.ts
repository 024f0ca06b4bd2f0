import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT, exportJWK, generateKeyPair, type CryptoKey } from "jose";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LandfallError } from "../landfall-error.js";
import { authenticate, bearerToken } from "./authenticator.js";
import { devTokens } from "./dev-tokens.js";
import { jwks } from "./jwks.js";
import { type JwtOptions, jwt } from "./jwt.js";

const nowMs = Date.UTC(2026, 0, 1);
const seconds = nowMs / 1_000;
const context = { nowMs, development: false };
const secret = "a secret of at least thirty-two bytes, for tests";
const bytes = new TextEncoder().encode(secret);

const sign = (
  claims: Record<string, unknown>,
  key: CryptoKey | Uint8Array = bytes,
  alg = "HS256",
  kid?: string,
) => new SignJWT(claims).setProtectedHeader(kid === undefined ? { alg } : { alg, kid }).sign(key);
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

async function refusal(run: Promise<unknown>): Promise<LandfallError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LandfallError);
  return error as LandfallError;
}

describe("jwt with a shared secret", () => {
  const auth = jwt({ secret, issuer: "https://issuer.test", audience: "landfall" });
  const good = { sub: "ann", iss: "https://issuer.test", aud: "landfall", exp: seconds + 60 };

  test("takes a good token and says when it ends", async () => {
    expect(await authenticate(auth, await sign(good), context)).toEqual({
      id: "ann",
      expiresAt: nowMs + 65_000,
    });
    const endless = jwt({ secret, clockToleranceMs: 0 });
    const unexpiring = await sign({ sub: "bob" });
    expect((await refusal(authenticate(endless, unexpiring, context))).message).toMatch(/when it expires/);
    const trusting = jwt({ secret, allowUnexpiring: true });
    expect(await authenticate(trusting, unexpiring, context)).toEqual({ id: "bob" });
  });

  const bad: readonly [string, () => Promise<string>, RegExp][] = [
    ["expired", () => sign({ ...good, exp: seconds - 10 }), /expired/],
    ["not yet valid", () => sign({ ...good, nbf: seconds + 60 }), /not valid yet/],
    ["wrong audience", () => sign({ ...good, aud: "elsewhere" }), /audience/],
    ["no audience", () => sign({ sub: "ann", iss: good.iss }), /audience/],
    ["wrong issuer", () => sign({ ...good, iss: "https://evil.test" }), /issuer/],
    ["no subject", () => sign({ ...good, sub: undefined }), /subject/],
    ["empty subject", () => sign({ ...good, sub: "" }), /names no user/],
    ["subject too long", () => sign({ ...good, sub: "x".repeat(257) }), /names no user/],
    [
      "another secret",
      () => sign(good, new TextEncoder().encode("another secret of more than 32 bytes!!")),
      /signature/,
    ],
    ["HS512", () => sign(good, bytes, "HS512"), /algorithm/],
    ["alg none", async () => `${base64url({ alg: "none" })}.${base64url(good)}.`, /algorithm|well-formed/],
    [
      "alg none with a signature",
      async () => `${base64url({ alg: "none" })}.${base64url(good)}.AAAA`,
      /algorithm/,
    ],
    [
      "payload swapped",
      async () => (await sign(good)).replace(/\.[^.]+\./, `.${base64url({ ...good, sub: "bob" })}.`),
      /signature/,
    ],
    ["not a token", async () => "nonsense", /well-formed/],
    [
      "a payload that is no object",
      async () => `${base64url({ alg: "HS256" })}.${base64url([1])}.AAAA`,
      /signature|well-formed/,
    ],
  ];
  test.each(bad)("refuses a token: %s", async (_name, make, words) => {
    const error = await refusal(authenticate(auth, await make(), context));
    expect(error.code).toBe("unauthorized");
    expect(error.status).toBe(401);
    expect(error.message).toMatch(words);
    for (const secretText of [secret, "https://issuer.test", "ann", "bob"])
      expect(error.message).not.toContain(secretText);
  });

  test("is total: any text at all is refused as unauthorized", async () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom("e30", "", base64url({ alg: "HS256" }), base64url({ alg: "none" }), base64url(good)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 4 }), async (pieces) => {
        expect((await refusal(authenticate(auth, pieces.join("."), context))).code).toBe("unauthorized");
      }),
      { numRuns: 300 },
    );
  });

  test("will not start with a missing or short secret", () => {
    expect(() => jwt({ secret: undefined })).toThrow(/at least 32 bytes/);
    expect(() => jwt({ secret: "short" })).toThrow(/was given 5/);
  });

  test("will not start where a check is named and not given, or misspelt", () => {
    // An audience that was to be checked, and is not, lets in tokens made for another service.
    for (const nothing of [undefined, "", [], [undefined]])
      expect(() => jwt({ secret, audience: nothing as string })).toThrow(/given audience, and nothing in it/);
    expect(() => jwt({ secret, audiance: "landfall" } as JwtOptions)).toThrow(/has no option "audiance"/);
  });
});

test("jwks will not start with an address that is none, or a misspelt option", () => {
  const checks = { issuer: "https://issuer.test", audience: "landfall" };
  expect(() => jwks({ ...checks, url: "issuer.test/keys" })).toThrow('was given "issuer.test/keys"');
  const misspelt = { ...checks, url: "https://issuer.test/keys", cooldown: 1 };
  expect(() => jwks(misspelt)).toThrow('jwks() has no option "cooldown"');
});

describe("jwks", () => {
  let keySet: { keys: object[] } | string = { keys: [] };
  let fetches = 0;
  let status = 200;
  const issuer = createServer((_request, response) => {
    fetches += 1;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof keySet === "string" ? keySet : JSON.stringify(keySet));
  });
  let url = "";
  let first: Awaited<ReturnType<typeof generateKeyPair>>;
  let second: Awaited<ReturnType<typeof generateKeyPair>>;
  const jwk = async (key: CryptoKey, kid: string, alg: string) => ({
    ...(await exportJWK(key)),
    kid,
    alg,
    use: "sig",
  });
  const good = { sub: "ann", iss: "https://issuer.test", aud: "landfall", exp: seconds + 60 };
  const make = (cooldownMs = 30_000) =>
    jwks({ url, issuer: "https://issuer.test", audience: ["landfall", "other"], cooldownMs });

  beforeAll(async () => {
    [first, second] = await Promise.all([
      generateKeyPair("ES256", { extractable: true }),
      generateKeyPair("RS256", { extractable: true }),
    ]);
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks.json`;
  });
  afterAll(() => new Promise((resolve) => issuer.close(resolve)));

  test("takes tokens of the issuer's keys, and of a key that came later", async () => {
    keySet = { keys: [await jwk(first.publicKey, "k1", "ES256")] };
    const auth = make(0);
    expect(
      await authenticate(auth, await sign(good, first.privateKey, "ES256", "k1"), context),
    ).toMatchObject({ id: "ann" });
    keySet = {
      keys: [await jwk(first.publicKey, "k1", "ES256"), await jwk(second.publicKey, "k2", "RS256")],
    };
    expect(
      await authenticate(auth, await sign(good, second.privateKey, "RS256", "k2"), context),
    ).toMatchObject({ id: "ann" });
  });

  test("an unknown key id is refused, and does not make the keys be fetched again and again", async () => {
    keySet = { keys: [await jwk(first.publicKey, "k1", "ES256")] };
    const auth = make();
    await authenticate(auth, await sign(good, first.privateKey, "ES256", "k1"), context);
    const before = fetches;
    for (let i = 0; i < 5; i++) {
      const error = await refusal(
        authenticate(auth, await sign(good, second.privateKey, "RS256", `unknown-${i}`), context),
      );
      expect(error.message).toMatch(/not among the issuer's keys/);
    }
    expect(fetches).toBe(before);
  });

  test("a public key never passes as the secret of an HMAC", async () => {
    keySet = { keys: [await jwk(second.publicKey, "k2", "RS256")] };
    const forged = await sign(
      good,
      new TextEncoder().encode(JSON.stringify(await exportJWK(second.publicKey))),
      "HS256",
      "k2",
    );
    const error = await refusal(authenticate(make(), forged, context));
    expect([error.code, error.message]).toEqual(["unauthorized", expect.stringMatching(/algorithm/)]);
  });

  test.each([
    ["expired", { exp: seconds - 10 }, /expired/],
    ["no expiry", { exp: undefined }, /when it expires/],
    ["not yet valid", { nbf: seconds + 60 }, /not valid yet/],
    ["wrong audience", { aud: "elsewhere" }, /audience/],
    ["wrong issuer", { iss: "https://evil.test" }, /issuer/],
  ])("refuses a token: %s", async (_name, change, words) => {
    keySet = { keys: [await jwk(first.publicKey, "k1", "ES256")] };
    const error = await refusal(
      authenticate(make(), await sign({ ...good, ...change }, first.privateKey, "ES256", "k1"), context),
    );
    expect([error.code, error.message]).toEqual(["unauthorized", expect.stringMatching(words)]);
  });

  test.each([
    ["answers 500", 500, "{}"],
    ["answers with no JSON", 200, "<html>"],
    ["answers with no key set", 200, '{"keys":7}'],
  ])(
    "an issuer that %s makes the server unavailable, not the token bad, and is left in peace for a second",
    async (_name, code, body) => {
      status = code;
      keySet = body;
      const auth = make();
      const token = await sign(good, first.privateKey, "ES256", "k1");
      const before = fetches;
      const error = await refusal(authenticate(auth, token, context));
      expect([error.code, error.retryAfterMs]).toEqual(["unavailable", 5_000]);
      await refusal(authenticate(auth, token, context));
      expect(fetches).toBe(before + 1);
      status = 200;
      keySet = { keys: [await jwk(first.publicKey, "k1", "ES256")] };
      expect(await authenticate(auth, token, { ...context, nowMs: nowMs + 1_000 })).toMatchObject({
        id: "ann",
      });
    },
  );

  test("will not start without issuer or audience", () => {
    expect(() => jwks({ url, issuer: "", audience: "a" })).toThrow(/needs issuer/);
    expect(() => jwks({ url, issuer: "i", audience: [] })).toThrow(/needs audience/);
  });
});

describe("any function", () => {
  test("undefined refuses; an error of its own stays an error", async () => {
    expect((await refusal(authenticate(() => undefined, "x", context))).code).toBe("unauthorized");
    const broken = new Error("the database is down");
    await expect(authenticate(() => Promise.reject(broken), "x", context)).rejects.toBe(broken);
  });

  test("what it says is checked", async () => {
    for (const found of [
      { id: "" },
      { id: 7 },
      { id: "\ud800" },
      { id: "ann\u0000" },
      { id: "ann", expiresAt: nowMs },
      { id: "ann", expiresAt: Number.NaN },
    ]) {
      expect((await refusal(authenticate(() => found as { id: string }, "x", context))).code).toBe(
        "unauthorized",
      );
    }
  });
});

test("development tokens work for development only", async () => {
  expect(await authenticate(devTokens(), "dev:ann", { nowMs, development: true })).toEqual({ id: "ann" });
  for (const token of ["dev:", "ann", "dev"]) {
    expect((await refusal(authenticate(devTokens(), token, { nowMs, development: true }))).code).toBe(
      "unauthorized",
    );
  }
  expect((await refusal(authenticate(devTokens(), "dev:ann", context))).message).toMatch(/landfall dev/);
});

test("the Authorization header", async () => {
  expect(bearerToken("Bearer abc.def")).toBe("abc.def");
  expect(bearerToken("bearer dev:ann")).toBe("dev:ann");
  for (const header of [undefined, "", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer \u00e4"]) {
    expect(() => bearerToken(header)).toThrow(LandfallError);
  }
});
