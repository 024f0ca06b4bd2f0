import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Parts of paths of what takes longest, longest first: begun at the end, one of them would keep one core busy alone. */
const longest = ["tests/simulation/", "packages/cli/src/conformance", "tests/end-to-end/", "tests/crash/"];

function place({ moduleId }: TestSpecification): number {
  const found = longest.findIndex((part) => moduleId.includes(part));
  return found === -1 ? longest.length : found;
}

/** The order of test files, the same on a machine that has never run them: what takes longest begins first. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => place(a) - place(b));
  }
}
