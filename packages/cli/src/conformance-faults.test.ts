import { type TestServer, startTestServer } from "@landfall/server/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { conformance } from "./conformance.js";
import { startBrokenServer } from "./conformance/broken-server.fixture.js";
import { kitFaults } from "./conformance/faults.fixture.js";
import { checks } from "./conformance/run.js";

/** What comes from a sound server on the same machine ends the waiting, so that this may be long. */
const patience = { newsMs: 30_000, headsMs: 30_000, quietMs: 300 };
/** What a broken one does not send is waited for in vain; what it sends too much ends the waiting. */
const impatience = { newsMs: 1_500, headsMs: 1_500, quietMs: 10_000 };
const owner = "dev:kit-ann";
const other = "dev:kit-bob";

describe("no check that cannot fail", () => {
  let server: TestServer<unknown>;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.close());

  const faults = kitFaults(owner);

  test("every check turns red by some fault", () => {
    const red = new Set(faults.flatMap(({ reddens }) => reddens));
    expect(checks.map(({ id }) => id).filter((id) => !red.has(id))).toEqual([]);
  });

  // Most of their time is waiting.
  test.concurrent.each(faults)("a server where $name: $reddens", async ({ reddens, tampering }) => {
    const broken = await startBrokenServer(server.url, tampering());
    try {
      const report = await conformance({
        url: broken.url,
        token: owner,
        secondToken: other,
        only: reddens.join(),
        patience: impatience,
      });
      expect(report.results.map(({ check, result, reason }) => [check, result, reason])).toEqual(
        reddens
          .toSorted(inOrder)
          .map((check) => [check, "fail", expect.not.stringContaining("carried through")]),
      );
    } finally {
      await broken.close();
    }
  });

  test("a proxy that changes nothing turns nothing red", async () => {
    const fair = await startBrokenServer(server.url, {});
    try {
      const report = await conformance({ url: fair.url, token: owner, secondToken: other, patience });
      expect(report.results.filter(({ result }) => result !== "pass")).toEqual([]);
    } finally {
      await fair.close();
    }
  });
});

const order = new Map(checks.map(({ id }, at) => [id, at]));
const inOrder = (a: string, b: string): number => (order.get(a) ?? 0) - (order.get(b) ?? 0);
