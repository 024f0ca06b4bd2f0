import { expect, test } from "vitest";
import { checkers } from "@landfall/simulation/checkers/all";
import { hunt, matrix, worldBugs } from "../../scripts/sim/bugs.mjs";

/** A few that are caught soon, by different checkers; `npm run sim -- --bugs` hunts for all of them. */
const quick = [
  "unique-not-checked",
  "delta-of-half-an-event",
  "digest-without-content",
  "refused-in-silence",
];

test("the world catches mistakes in its first seeds, which pass without them", async () => {
  const bugs = (await worldBugs()).filter(({ name }) => quick.includes(name));
  expect(bugs).toHaveLength(quick.length);
  const caught = await hunt(bugs, { seeds: 8, jobs: 1, told: () => undefined });
  for (const { bug, seed, sound } of caught)
    expect(`${bug.name} ${seed === undefined ? "missed" : "caught"} ${sound ? "sound" : "unsound"}`).toBe(
      `${bug.name} caught sound`,
    );
  const named = caught.flatMap(({ checks }) => checks);
  expect(named).toEqual(expect.arrayContaining(["convergence", "consistent-cut", "digests", "outcomes"]));
  const table = matrix(
    caught,
    checkers.map(({ name }) => name),
  );
  expect(table).toContain("Caught none: ");
  expect(table).toMatch(/digest-without-content +rule 10 +1 /);
});
