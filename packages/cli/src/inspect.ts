import { inspectFile } from "@landfall/server";
import { CommandError } from "./command-error.js";

type Inspection = Awaited<ReturnType<typeof inspectFile>>;

/** `landfall inspect`: what a data file holds; beside a running server too, for it only reads. */
export async function inspect(options: {
  readonly storage: string;
  readonly space?: string;
}): Promise<Inspection> {
  const file = /^sqlite:(.+)$/.exec(options.storage)?.[1];
  if (file === undefined)
    throw new CommandError(`The storage ${JSON.stringify(options.storage)} is not known. Give sqlite:FILE.`);
  let spaces: Inspection;
  try {
    spaces = await inspectFile(file);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error));
  }
  if (options.space === undefined) return spaces;
  const named = spaces.filter(({ space }) => space === options.space);
  if (named.length === 0)
    throw new CommandError(
      `There is no space ${options.space} in ${file}. It has ${spaces.map(({ space }) => space).join(", ") || "none"}.`,
    );
  return named;
}

/** The same for people: a block for each space. */
export function describeInspection(spaces: Inspection): string {
  if (spaces.length === 0) return "There are no spaces yet.";
  return spaces
    .map(({ space, generation, head, domains, devices, members }) =>
      [
        `${space}  head ${head}  generation ${generation}  ${members.length} member(s)`,
        ...domains.map(
          (each) =>
            `  ${each.domain.padEnd(20)} ${String(each.live).padStart(8)} live  head ${each.head}  digest ${each.digest.slice(0, 12)}`,
        ),
        ...devices.map(
          (each) =>
            `  ${each.device}  ${each.user}  seq ${each.lastSeq}  acked ${each.acked}  ${each.lag} behind  seen ${new Date(each.seenAt).toISOString()}`,
        ),
      ].join("\n"),
    )
    .join("\n\n");
}
