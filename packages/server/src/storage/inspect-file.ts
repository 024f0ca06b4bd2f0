import { inspectSpace } from "../access/spaces.js";
import type { SpaceInspection } from "../engine-types.js";
import { readDataFile } from "./read-file.js";

/**
 * Reads what a data file holds, as of one moment, beside a server that may be running on it.
 *
 * @throws Error that says what is wrong with the file, and what to do.
 */
export function inspectFile(file: string): Promise<readonly SpaceInspection[]> {
  return readDataFile(file, async (snapshot) => {
    const inspections: SpaceInspection[] = [];
    for (const space of await snapshot.spaces()) {
      const inspection = await inspectSpace(snapshot, space);
      if (inspection) inspections.push(inspection);
    }
    return inspections;
  });
}
