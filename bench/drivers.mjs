import { floor } from "./floor/driver.mjs";
import { landfall } from "./landfall/driver.mjs";

/** The sides of the benchmark, in the order in which they run. */
export const drivers = [floor, landfall];
