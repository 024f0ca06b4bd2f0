import type { History } from "../history.js";
import { access } from "./access.js";
import { bounded } from "./bounded.js";
import { type Checker, type Violation, ask } from "./checker.js";
import { consistentCut } from "./consistent-cut.js";
import { convergence } from "./convergence.js";
import { digests } from "./digests.js";
import { exactlyOnce } from "./exactly-once.js";
import { noLostWrite } from "./no-lost-write.js";
import { outcomes } from "./outcomes.js";
import { ownVersion } from "./own-version.js";
import { quiescence } from "./quiescence.js";
import { rebase } from "./rebase.js";
import { replayed } from "./replayed.js";
import { reports } from "./reports.js";
import { serializability } from "./serializability.js";
import { sessionOrder } from "./session-order.js";
import { stamps } from "./stamps.js";

/** Every promise that a run is judged by. */
export const checkers: readonly Checker[] = [
  serializability,
  exactlyOnce,
  noLostWrite,
  convergence,
  digests,
  stamps,
  consistentCut,
  rebase,
  sessionOrder,
  outcomes,
  access,
  ownVersion,
  reports,
  quiescence,
  bounded,
];

/** Everything that is wrong with a run, in the order of the checkers. */
export function judge(history: History): readonly Violation[] {
  const run = replayed(history);
  return checkers.flatMap((checker) => ask(checker, run));
}
