import { describe, expect, it } from "vitest";
import { createVirtualTime } from "../testing-time.js";
import { UnreconciledError } from "./repair.js";
import { Repairs } from "./repairs.js";

function place(mend: () => Promise<number | undefined>) {
  const time = createVirtualTime({ seed: 1 });
  const did: string[] = [];
  const repairs = new Repairs(time.timers, {
    async mend(domain) {
      did.push(`mend ${domain} ${time.uptime.now()}`);
      return mend();
    },
    fetchAgain: (domain) => void did.push(`fetch ${domain}`),
    report: (code) => void did.push(code),
    changed: () => undefined,
  });
  return { repairs, did, time };
}

describe("rule 10: repairs are bounded", () => {
  it("mended: told, counted, and forgotten when the digests agree", async () => {
    const { repairs, did, time } = place(async () => 3);
    repairs.differs("a");
    expect(repairs.running).toEqual(["a"]);
    repairs.differs("a");
    await time.advance(1_000);
    expect(did).toEqual(["digest_differs", "mend a 0", "repaired"]);
    expect([repairs.running, repairs.mendedRows]).toEqual([[], 3]);
    repairs.agrees("a");
    for (let i = 0; i < 2; i++) {
      repairs.differs("a");
      await time.advance(1);
    }
    expect(did.filter((each) => each.startsWith("mend"))).toHaveLength(3);
  });

  it("what mending does not help is fetched again, and what that does not help is left, and told once", async () => {
    const { repairs, did, time } = place(async () => 1);
    for (let i = 0; i < 20; i++) {
      repairs.differs("a");
      await time.advance(1);
    }
    expect(did.filter((each) => each.startsWith("mend"))).toHaveLength(2);
    expect(did.filter((each) => each === "fetch a")).toHaveLength(3);
    expect(did.filter((each) => each === "digest_differs")).toHaveLength(6);
    repairs.differs("b");
    expect(did.at(-1)).toBe("mend b 20");
  });

  it("a comparison that cannot help is not tried again", async () => {
    const { repairs, did, time } = place(() => Promise.reject(new UnreconciledError("no")));
    repairs.differs("a");
    await time.advance(60_000);
    repairs.differs("a");
    await time.advance(60_000);
    expect(did).toEqual([
      "digest_differs",
      "mend a 0",
      "digest_differs",
      "fetch a",
      "digest_differs",
      "fetch a",
    ]);
  });

  it("a server that cannot be asked is asked later, each time later, and then the domain is fetched", async () => {
    const { repairs, did, time } = place(() => Promise.reject(new Error("no network")));
    repairs.differs("a");
    await time.advance(10 * 60_000);
    expect(did).toEqual([
      "digest_differs",
      "mend a 0",
      "mend a 5000",
      "mend a 15000",
      "mend a 35000",
      "mend a 75000",
      "digest_differs",
      "fetch a",
    ]);
    expect(repairs.running).toEqual([]);
  });

  it("stopped, it does nothing more", async () => {
    const { repairs, did, time } = place(() => Promise.reject(new Error("no network")));
    repairs.differs("a");
    await time.advance(1_000);
    repairs.stop();
    await time.advance(60_000);
    repairs.differs("b");
    expect(did).toEqual(["digest_differs", "mend a 0"]);
  });
});
