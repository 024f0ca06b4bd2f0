import type { Stamp } from "@landfall/protocol";
import type { AppliedEvent } from "../history.js";
import type { Checker, Finding } from "./checker.js";

const time = (stamp: Stamp): number => Number.parseInt(stamp.slice(0, 13).replace("-", ""), 16);
/** Milliseconds and counter, as text in the order of stamps. */
const reading = (stamp: Stamp): string => stamp.slice(0, 18);
const tail = (stamp: Stamp): string => stamp.slice(19);

/**
 * Effective stamps (rule 6): a clock that runs ahead gains nothing that its event did not wait for, each event is
 * received at a reading above all before it, and no stamp stands for two events.
 */
export const stamps: Checker = {
  name: "stamps",
  rule: "rule 6",
  promise:
    "An event takes effect under its own stamp, or under that of its receipt where its clock ran ahead.",
  check({ lineage }) {
    const findings: Finding[] = [];
    for (const branches of lineage.branches.values()) {
      for (const branch of branches) {
        const known = new Map<Stamp, number>();
        let received = "";
        for (let index = branch.from + 1; index <= branch.head; index++) {
          const placed = branch.events.get(index);
          const id = placed?.applied.event;
          if (!placed || id === undefined) continue;
          const { applied, at } = placed;
          const stamp = applied.eff ?? id;
          const wrong = problemOf(id, applied, received, known.get(stamp));
          if (wrong !== undefined)
            findings.push({ at, message: `${branch.space}: index ${index} (${id}) ${wrong}` });
          known.set(stamp, index);
          if (applied.eff !== undefined && reading(applied.eff) > received) received = reading(applied.eff);
        }
      }
    }
    return findings;
  },
};

/** @param received the newest receipt that an earlier event has shown, and `twin` the index that has this stamp already. */
function problemOf(
  id: Stamp,
  { eff, modifiedAt }: AppliedEvent,
  received: string,
  twin: number | undefined,
): string | undefined {
  if (twin !== undefined) return `has the stamp of index ${twin}`;
  // A commit of many events counts on from its first millisecond; a thousandth of that is more than there are.
  if (eff === undefined) {
    if (time(id) > modifiedAt + 4)
      return `took effect under its own stamp of ${time(id)}, after it was received at ${modifiedAt}`;
    return undefined;
  }
  if (tail(eff) !== tail(id)) return `took effect under ${eff}, which is not its own`;
  if (reading(eff) >= reading(id)) return `took effect under ${eff}, which gains time on its own stamp`;
  if (time(eff) < modifiedAt)
    return `took effect under ${eff}, which lies before its receipt at ${modifiedAt}`;
  if (reading(eff) <= received)
    return `was received at ${reading(eff)}, and an event before it at ${received}`;
  return undefined;
}
