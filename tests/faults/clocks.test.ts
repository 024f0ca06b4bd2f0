import { type Op, makeStamp, makeTail, stampReading } from "@landfall/protocol";
import { describe, expect, it } from "vitest";
import { bareEngine, create, success, today } from "./requests.js";

const yearMs = 365 * 86_400_000;
const name = (value: string): Op => ({ op: "update", domain: "a", key: "k", set: { name: value } });
const at = (device: number, ms: number) =>
  makeStamp(ms, 0, makeTail(Uint8Array.of(0, 0, 0, 0, 0, 0, device, 1)));

describe("wrong clocks", () => {
  it("rule 6: a clock years ahead does not win over what is written later, nor one years behind over what was", async () => {
    const { ask } = await bareEngine();
    const write = async (device: number, seq: number, ms: number, op: Op) => {
      const { outcomes } = success(
        await ask(`d${device}`, { events: [{ id: at(device, ms), seq, ops: [op] }] }),
      );
      return outcomes[0];
    };
    const shown = async () => {
      const [row] = success(await ask("reader", { cursors: { a: 0 } })).rows;
      return row?.deleted === undefined ? row?.fields["name"] : undefined;
    };
    await write(9, 1, today - yearMs, create("k"));
    const ahead = await write(1, 1, today + 5 * yearMs, name("ahead"));
    expect(ahead).toMatchObject({ status: "applied" });
    // The stamp that counts is no later than the write's receipt.
    const { eff, modifiedAt } = ahead as { eff?: string; modifiedAt: number };
    expect(stampReading(eff ?? "").ms).toBe(modifiedAt);
    await write(2, 1, modifiedAt + 1, name("later"));
    expect(await shown()).toBe("later");
    const behind = await write(3, 1, today - 3 * yearMs, name("behind"));
    expect(behind).toMatchObject({
      status: "applied",
      superseded: [{ field: "name", by: at(2, modifiedAt + 1) }],
    });
    expect(await shown()).toBe("later");
  });
});
