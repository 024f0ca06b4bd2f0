import type { Fault } from "./fault.js";

/** Mistakes of what a device knows once it has read its disk again. */
export const deviceFaults: readonly Fault[] = [
  {
    name: "seq-without-room-is-forgotten",
    rule: "rule 3",
    file: "packages/client/src/space/outbox.ts",
    find: "entry.loose = !isStored;",
    replace: "",
    test: {
      file: "packages/client/src/space/outbox.test.ts",
      title:
        "a number that the storage had no room for is stored with the next ones, though its event is answered meanwhile",
    },
    why: "After a crash what was written first comes last, and its outcome is acknowledged unheard.",
  },
  {
    name: "stamps-of-a-reload-not-seen",
    rule: "rule 6",
    file: "packages/client/src/space/space-session.ts",
    find: "for (const rows of stored.rows.values()) this.#observe(rows.values()); const patch",
    replace: "const patch",
    test: {
      file: "tests/faults/installation.test.ts",
      title: "writes what is newer than all that it has read there",
    },
    why: "Who writes in a tab that has read the storage anew loses to what they saw there.",
  },
];
