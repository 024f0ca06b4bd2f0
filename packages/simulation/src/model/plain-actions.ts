import type { Json } from "@landfall/protocol";
import type { PlainActions, PlainTx } from "./plain-action.js";

/** The actions of the world's schema once more, written without a look at the product's way of running them. */
export const plainActions: PlainActions = {
  pay: (tx, args) => moveBetweenPurses(tx, args, "coins", 100),
  transfer: (tx, args) => moveBetweenPurses(tx, args, "cents", 10_000),
  revive(tx, args) {
    const { key, title } = args as { readonly key: string; readonly title: string };
    if (tx.get("note", key)) tx.apply({ op: "update", domain: "note", key, set: { title } });
    else tx.apply({ op: "restore", domain: "note", key, set: { title, votes: 0, marks: [] } });
  },
};

/** @param start what a purse holds that is not there. */
function moveBetweenPurses(tx: PlainTx, args: Json, unit: string, start: number): void {
  const { from, to } = args as { readonly from: string; readonly to: string };
  const amount = (args as Readonly<Record<string, number>>)[unit] as number;
  const holds = (key: string): number => (tx.get("purse", key)?.[unit] as number | undefined) ?? start;
  const [before, other] = [holds(from), holds(to)];
  tx.apply({ op: "put", domain: "purse", key: from, set: { [unit]: before - amount } });
  if (to !== from) tx.apply({ op: "put", domain: "purse", key: to, set: { [unit]: other + amount } });
}
