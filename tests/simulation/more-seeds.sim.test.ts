import { describe, expect, test } from "vitest";
import { foundOnce, soundSeeds, wrongIn } from "./seeds.js";

// In a file of their own, so that they run beside the others.
describe("the world", () => {
  test.each(soundSeeds(251, 500))(
    "rules 1, 2, 3, 4, 5, 6, 7, 8, 9 and 10: seeds $first to $last come to rest, and no checker objects",
    async ({ seeds }) => expect(await wrongIn(seeds)).toEqual([]),
  );

  test.each(foundOnce)(
    "rules 1, 3, 5 and 12: seed $seed, with $extra, comes to rest, and no checker objects",
    async ({ seed, extra }) => expect(await wrongIn([seed], extra)).toEqual([]),
  );
});
