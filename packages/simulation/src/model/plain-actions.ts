import type { PlainActions } from "./plain-action.js";

/** The actions of the world's schema once more, written without a look at the product's way of running them. */
export const plainActions: PlainActions = {
  pay(tx, args) {
    const { from, to, coins } = args as {
      readonly from: string;
      readonly to: string;
      readonly coins: number;
    };
    const holds = (key: string): number => (tx.get("purse", key)?.["coins"] as number | undefined) ?? 100;
    const [before, other] = [holds(from), holds(to)];
    tx.apply({ op: "put", domain: "purse", key: from, set: { coins: before - coins } });
    if (to !== from) tx.apply({ op: "put", domain: "purse", key: to, set: { coins: other + coins } });
  },
  revive(tx, args) {
    const { key, title } = args as { readonly key: string; readonly title: string };
    if (tx.get("note", key)) tx.apply({ op: "update", domain: "note", key, set: { title } });
    else tx.apply({ op: "restore", domain: "note", key, set: { title, votes: 0, marks: [] } });
  },
};
