import { checkClears, checkCommits, checkConcurrentCommits } from "./conformance/commits.js";
import { checkEnds } from "./conformance/ends.js";
import { checkFences, checkLeaders } from "./conformance/fences.js";
import { checkHandles, checkLife } from "./conformance/handles.js";
import { checkLosses } from "./conformance/losses.js";
import { checkReads, checkSnapshots, checkSpaces } from "./conformance/reads.js";
import type { Check, Expect } from "./conformance/world.js";
import type { ClientStorage, ClientStorageFactory } from "./port.js";

/** What the suite needs of a test runner; `describe`, `it` and `expect` of vitest and of Jest fit as they are. */
export interface ConformanceRunner {
  readonly describe: (title: string, body: () => void) => unknown;
  readonly it: (title: string, body: () => Promise<void>) => unknown;
  readonly expect: Expect;
}

/**
 * Everything that the client relies on in a `ClientStorage`, for any implementation of the port.
 *
 * `makeFactory` is called once for every process that the suite pretends to be: all factories that it
 * returns find the same persistent data.
 */
export function clientStorageConformance(
  runner: ConformanceRunner,
  makeFactory: () => ClientStorageFactory,
): void {
  const { expect } = runner;
  let count = 0;
  const check: Check = (title, body) => {
    runner.it(title, async () => {
      const name = `conformance-${++count}`;
      const handles: ClientStorage[] = [];
      const openWith = async (factory: ClientStorageFactory): Promise<ClientStorage> => {
        const handle = await factory.open(name);
        handles.push(handle);
        return handle;
      };
      const factory = makeFactory();
      const closeAll = (): Promise<unknown> => Promise.all(handles.splice(0).map((handle) => handle.close()));
      try {
        await body({
          factory,
          name,
          open: () => openWith(factory),
          restart: async () => {
            await closeAll();
            return openWith(makeFactory());
          },
        });
      } finally {
        await closeAll();
      }
    });
  };
  runner.describe("client storage port", () => {
    checkReads(check, expect);
    checkSnapshots(check, expect);
    checkSpaces(check, expect);
    checkCommits(check, expect);
    checkConcurrentCommits(check, expect);
    checkClears(check, expect);
    checkFences(check, expect);
    checkLeaders(check, expect);
    checkHandles(check, expect);
    checkLife(check, expect);
    checkEnds(check, expect);
    checkLosses(check, expect);
  });
}
