import type { RunResult } from "@landfall/simulation/run";
import { makePlan, run } from "./world.js";

const perTest = 10;

/**
 * Seeds that fail, and why they are left so. Each must go on failing in that checker alone: what mends one has to take
 * it out of here.
 */
const open: Readonly<Record<number, { readonly check: string; readonly why: string }>> = {
  195: {
    check: "rebase",
    why: "what two tabs show of the writes of a third is right, and the checker does not find the way to it after a wipe",
  },
  428: {
    check: "rebase",
    why: "dozens of writes in one tab while another one starts: which of them that has heard of is not told apart yet",
  },
};

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
    return { first, last, seeds: numbers(first, last).filter((seed) => !open[seed]) };
  });
}

/** Those among them that are known to fail. */
export const openSeeds = (from: number, to: number) =>
  numbers(from, to).flatMap((seed) => (open[seed] ? [{ seed, ...open[seed] }] : []));

/** What is wrong in the runs of these seeds; empty when nothing is. */
export async function wrongIn(seeds: readonly number[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const seed of seeds)
    for (const text of said(await run(makePlan(seed)))) wrong.push(`npm run sim -- --seed ${seed}: ${text}`);
  return wrong;
}

/** The checkers that object to a seed. */
export async function objectors(seed: number): Promise<string[]> {
  const { problems } = await run(makePlan(seed));
  return [...new Set(problems.map(({ check }) => check))];
}
