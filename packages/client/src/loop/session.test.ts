import { describe, expect, test } from "vitest";
import { RemoteError } from "../remote/port.js";
import { type CredentialsReason, createSession } from "./session.js";

const nowMs = 1_795_000_000_000;
const clock = { now: () => nowMs };
const jwt = (exp: unknown): string =>
  `header.${btoa(JSON.stringify({ exp, name: "Ü?>" }))
    .replaceAll("+", "-")
    .replaceAll("/", "_")}.signature`;
const unauthorized = (): RemoteError =>
  new RemoteError({ status: 401, code: "unauthorized", message: "Expired." });

describe("the session", () => {
  test("asks once for all who ask at the same time, and says why", async () => {
    const reasons: CredentialsReason[] = [];
    const session = createSession((reason) => Promise.resolve(`token-${reasons.push(reason)}`), clock);
    expect(await Promise.all([session.ask(), session.ask()])).toEqual(["token-1", "token-1"]);
    await session.ask();
    session.refuse("token-1");
    expect(session.token).toBe("token-2");
    session.refuse("token-2");
    expect(session.token).toBeUndefined();
    await session.ask();
    session.forget();
    await session.ask();
    expect(reasons).toEqual(["start", "renew", "refused", "start"]);
  });

  test("a throw, at once or later, is handed on, and the next call asks again", async () => {
    let calls = 0;
    const session = createSession(() => {
      calls += 1;
      if (calls === 1) throw new Error("at once");
      return calls === 2 ? Promise.reject(new Error("later")) : "token";
    }, clock);
    await expect(session.ask()).rejects.toThrow("at once");
    await expect(session.ask()).rejects.toThrow("later");
    expect(await session.ask()).toBe("token");
  });

  test("what is asked is given up at once, and what it brings later is nobody's token", async () => {
    const late = { give: (_token: string): void => undefined };
    let calls = 0;
    const session = createSession(
      () => (++calls === 1 ? new Promise((resolve) => (late.give = resolve)) : "second"),
      clock,
    );
    const first = session.ask();
    session.giveUp();
    await expect(first).rejects.toMatchObject({ code: "signed-out" });
    expect(session.token).toBeUndefined();
    const second = session.ask();
    late.give("first");
    expect(await second).toBe("second");
    expect(session.token).toBe("second");
    session.giveUp();
    expect(session.token).toBe("second");
  });

  test.each([
    [undefined, "credentials() gave undefined."],
    [{ token: "t" }, "credentials() gave object."],
    [7, "credentials() gave number."],
    ["", "credentials() gave an empty text."],
  ])("what is neither a token nor null is refused in words: %o", async (given, words) => {
    const session = createSession(() => given as string, clock);
    await expect(session.ask()).rejects.toThrow(`${words} It is to give a token as a text, or null`);
    expect(session.token).toBeUndefined();
  });

  test("renews a minute before a JWT ends, a short one after four fifths; other tokens never", async () => {
    for (const [token, renewAtMs] of [
      [jwt(nowMs / 1_000 + 3_600), nowMs + 3_540_000],
      [jwt(nowMs / 1_000 + 100), nowMs + 80_000],
      ["dev:ann", undefined],
      ["a.b.c", undefined],
      [jwt("tomorrow"), undefined],
      [jwt(undefined), undefined],
    ] as const) {
      const session = createSession(() => token, clock);
      await session.ask();
      expect(session.renewAtMs).toBe(renewAtMs);
    }
  });

  test("authorized asks for one other token when the server refuses, and no more than one", async () => {
    let given = 0;
    const session = createSession(() => `token-${++given}`, clock);
    const used: string[] = [];
    const good = (token: string): Promise<string> => {
      used.push(token);
      return token === "token-2" ? Promise.resolve("done") : Promise.reject(unauthorized());
    };
    expect(await session.authorized(good)).toBe("done");
    expect(await session.authorized(good)).toBe("done");
    expect(used).toEqual(["token-1", "token-2", "token-2"]);
    await expect(session.authorized(() => Promise.reject(unauthorized()))).rejects.toThrow("Expired.");
    expect(given).toBe(3);
    await expect(
      session.authorized(() => Promise.reject(new RemoteError({ code: "network", message: "Down." }))),
    ).rejects.toThrow("Down.");
    expect(given).toBe(4);
  });

  test("nobody signed in is said as such", async () => {
    await expect(createSession(() => null, clock).authorized(() => Promise.resolve(1))).rejects.toMatchObject(
      { name: "SyncError", code: "signed-out" },
    );
  });
});
