import fc from "fast-check";

/**
 * One seed for every property test, so that `npm test` is the same test each time and a red one is somebody's
 * change. `LANDFALL_SEED=random` draws another (fast-check prints it when a property fails), a number replays it.
 */
const asked = process.env["LANDFALL_SEED"];
if (asked !== "random")
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(asked ?? 20_261_121) });
