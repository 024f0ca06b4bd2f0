import type { History } from "../history.js";
import { Lineage } from "../model/lineage.js";
import { plainActions } from "../model/plain-actions.js";
import { plainMigration } from "../model/plain-migration.js";
import { Upgrade } from "../model/upgrade.js";
import type { Run } from "./checker.js";
import { Entries } from "./entries.js";
import { ShownViews } from "./shown.js";
import { Stories } from "./stories.js";

/** A run as the checkers look at it: what they have in common is worked out once for all of them. */
export function replayed(history: History): Run {
  const lineage = new Lineage(history, plainActions, new Upgrade(plainMigration));
  return {
    history,
    entries: new Entries(history.entries),
    lineage,
    stories: new Stories(history, lineage),
    shown: new ShownViews(history.schema),
  };
}
