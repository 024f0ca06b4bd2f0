import type { FaultKind } from "@landfall/simulation/plan";
import type { RunResult } from "@landfall/simulation/run";
import { makePlan, run } from "./world.js";

const perTest = 10;

/** Seeds beyond those, with what trouble they have besides their own, in which something was found once. */
export const foundOnce: readonly { readonly seed: number; readonly extra: readonly FaultKind[] }[] = [
  ...[
    543, 609, 791, 896, 897, 932, 946, 1_076, 1_259, 1_472, 1_752, 1_972, 2_013, 2_110, 2_151, 2_307, 2_805,
    3_004, 3_097, 3_262, 3_305, 3_685, 3_832, 3_915, 4_014, 4_080, 4_156, 4_406, 504, 653, 1_269, 2_888,
    3_757, 886, 1_319, 1_879, 2_744,
  ].map((seed) => ({ seed, extra: [] })),
  ...[78, 138].map((seed) => ({ seed, extra: ["restore" as const] })),
  ...[84, 155].map((seed) => ({ seed, extra: ["wipe", "restore", "forget"] as const })),
  { seed: 117, extra: ["wipe"] },
  { seed: 200, extra: ["rush"] },
];

export const said = ({ problems }: RunResult): string[] =>
  problems.map(({ check, text }) => `${check}: ${text}`);

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** The seeds from one number to another that must hold, some at a time. */
export function soundSeeds(
  from: number,
  to: number,
): { readonly first: number; readonly last: number; readonly seeds: readonly number[] }[] {
  return numbers(0, Math.ceil((to - from + 1) / perTest) - 1).map((at) => {
    const first = from + at * perTest;
    const last = Math.min(to, first + perTest - 1);
    return { first, last, seeds: numbers(first, last) };
  });
}

/** What is wrong in the runs of these seeds; empty when nothing is. */
export async function wrongIn(seeds: readonly number[], extra: readonly FaultKind[] = []): Promise<string[]> {
  const wrong: string[] = [];
  const given = extra.length > 0 ? ` --with ${extra.join()}` : "";
  for (const seed of seeds)
    for (const text of said(await run(makePlan(seed, extra))))
      wrong.push(`npm run sim -- --seed ${seed}${given}: ${text}`);
  return wrong;
}
