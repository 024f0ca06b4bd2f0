import { describePages } from "./conformance/pages.js";
import { describeRecords } from "./conformance/records.js";
import { describeTables } from "./conformance/tables.js";
import { describeTransactions } from "./conformance/transactions.js";
import type { Storage } from "./port.js";

/** The parts of a test runner that the suite uses; vitest, jest and node:test have them. */
export interface ConformanceRunner {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
}

/**
 * What every storage must do (DESIGN §7), as tests of whichever runner is given.
 * @param make gives a fresh, empty storage; the suite closes it.
 */
export function storageConformance(
  { describe, test }: ConformanceRunner,
  make: () => Storage | Promise<Storage>,
): void {
  const withStorage = (name: string, body: (storage: Storage) => Promise<void>): void =>
    test(name, async () => {
      const storage = await make();
      try {
        await body(storage);
      } finally {
        await storage.close();
      }
    });
  describe("batches", () => describeTransactions(withStorage));
  describe("records", () => describeRecords(withStorage));
  describe("pages", () => describePages(withStorage));
  describe("the small tables", () => describeTables(withStorage));
}
