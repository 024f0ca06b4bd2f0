import { expect, test } from "vitest";
import { RandomStream } from "./random-stream.js";

const take = (stream: RandomStream): number[] => Array.from({ length: 50 }, () => stream.next());

test("a stream is a function of its name", () => {
  expect(take(new RandomStream("seed 1"))).toEqual(take(new RandomStream("seed 1")));
  expect(take(new RandomStream("seed 1"))).not.toEqual(take(new RandomStream("seed 2")));
});

test("what one part draws changes nothing for another", () => {
  const busy = new RandomStream("seed 1");
  take(busy);
  expect(take(busy.split("network"))).toEqual(take(new RandomStream("seed 1").split("network")));
});

test("fractions spread evenly", () => {
  const stream = new RandomStream("spread");
  const tally = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 20_000; i++) {
    const place = stream.below(10);
    tally[place] = (tally[place] ?? 0) + 1;
  }
  for (const count of tally) expect(count).toBeGreaterThan(1_800);
  for (const count of tally) expect(count).toBeLessThan(2_200);
});

test("names are drawn as often as their weights say", () => {
  const stream = new RandomStream("weights");
  const counts = { often: 0, seldom: 0, never: 0 };
  for (let i = 0; i < 10_000; i++) counts[stream.weighted({ often: 9, seldom: 1, never: 0 })] += 1;
  expect(counts.never).toBe(0);
  expect(counts.often / counts.seldom).toBeGreaterThan(7);
  expect(counts.often / counts.seldom).toBeLessThan(11);
});
