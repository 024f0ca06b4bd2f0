import { describe, expect, test } from "vitest";
import { actionContext } from "./action-context.js";
import { isIdentifier } from "./identifier.js";
import { makeStamp } from "./stamp.js";

const event = makeStamp(1_795_000_000_000, 7, "8123-456789abcdef");
const other = makeStamp(1_795_000_000_000, 8, "8123-456789abcdef");

const draw = <T>(count: number, next: () => T): T[] => Array.from({ length: count }, next);

describe("the context of an action", () => {
  test("§5.2: two runs of one event see the same time, numbers, UUIDs and keys", () => {
    const [first, second] = [actionContext(event, "ann"), actionContext(event, "ann")];
    expect(first.context.now).toBe(1_795_000_000_000);
    expect(first.context.user).toBe("ann");
    expect(draw(50, first.context.random)).toEqual(draw(50, second.context.random));
    expect(draw(50, first.context.uuid)).toEqual(draw(50, second.context.uuid));
    expect(draw(50, first.newKey)).toEqual(draw(50, second.newKey));
  });

  test("§5.2: one more number does not change the keys or the UUIDs", () => {
    const [first, second] = [actionContext(event, "ann"), actionContext(event, "ann")];
    draw(3, first.context.random);
    expect(first.newKey()).toBe(second.newKey());
    expect(first.context.uuid()).toBe(second.context.uuid());
  });

  test("§5.2: neighbouring events have nothing in common", () => {
    const numbers = new Set([
      ...draw(200, actionContext(event, "ann").context.random),
      ...draw(200, actionContext(other, "ann").context.random),
    ]);
    expect(numbers.size).toBe(400);
    expect(actionContext(event, "ann").newKey()).not.toBe(actionContext(other, "ann").newKey());
  });

  test("numbers fill [0, 1) evenly", () => {
    const buckets = Array.from({ length: 10 }, () => 0);
    for (const number of draw(20_000, actionContext(event, "ann").context.random)) {
      expect(number >= 0 && number < 1).toBe(true);
      buckets[Math.floor(number * 10)] = (buckets[Math.floor(number * 10)] as number) + 1;
    }
    for (const count of buckets) expect(Math.abs(count - 2_000)).toBeLessThan(250);
  });

  test("UUIDs are of version 4, and keys are identifiers", () => {
    const run = actionContext(event, "ann");
    for (const uuid of draw(100, run.context.uuid))
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const keys = draw(100, run.newKey);
    expect(new Set(keys).size).toBe(100);
    for (const key of keys) expect(key.length === 20 && isIdentifier(key)).toBe(true);
  });

  test("the sequences are pinned: client and server of different releases must agree", () => {
    const run = actionContext(event, "ann");
    expect([run.context.random(), run.context.uuid(), run.newKey()]).toMatchInlineSnapshot(`
      [
        0.48660999576493624,
        "cba6bf70-18c9-4ba4-be9e-e63da72dc2c5",
        "xkppxth8byaqvz7c1aiv",
      ]
    `);
  });
});
