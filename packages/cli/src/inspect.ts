import { inspectFile } from "@landfall/server";
import { type LastBackup, lastBackup } from "@landfall/server/operations";
import { describeLastBackup, timeText } from "./backup.js";
import { CommandError } from "./command-error.js";
import { onFile, sqliteFile } from "./storage-address.js";

type SpaceInspection = Awaited<ReturnType<typeof inspectFile>>[number];

/** What `landfall inspect` finds in a data file. */
export interface Inspection {
  readonly file: string;
  readonly lastBackup: LastBackup | undefined;
  readonly spaces: readonly SpaceInspection[];
}

/** `landfall inspect`: what a data file holds; beside a running server too, for it only reads. */
export async function inspect(options: {
  readonly storage: string;
  readonly space?: string;
}): Promise<Inspection> {
  const file = sqliteFile(options.storage);
  const spaces = await onFile(() => inspectFile(file));
  const found = { file, lastBackup: lastBackup(file) };
  if (options.space === undefined) return { ...found, spaces };
  const named = spaces.filter(({ space }) => space === options.space);
  if (named.length === 0)
    throw new CommandError(
      `There is no space ${options.space} in ${file}. It has ${spaces.map(({ space }) => space).join(", ") || "none"}.`,
    );
  return { ...found, spaces: named };
}

/** The same for people: a block for each space. */
export function describeInspection({ lastBackup: last, spaces }: Inspection, nowMs: number): string {
  const blocks = spaces.length === 0 ? ["There are no spaces yet."] : spaces.map(describeSpace);
  return [...blocks, describeLastBackup(last, nowMs)].join("\n\n");
}

function describeSpace({
  space,
  generation,
  head,
  schema,
  began,
  domains,
  devices,
  members,
}: SpaceInspection): string {
  const when = began.startedAt > 0 ? ` on ${timeText(began.startedAt)}` : "";
  return [
    `${space}  head ${head}  schema ${schema || "none"}  generation ${generation} (${began.reason} at ${began.at}${when})  ${members.length} member(s)`,
    ...domains.map(
      (each) =>
        `  ${each.domain.padEnd(20)} ${String(each.live).padStart(8)} live  head ${each.head}  digest ${each.digest.slice(0, 12)}  deletes known from ${each.horizon}`,
    ),
    ...devices.map(
      (each) =>
        `  ${each.device}  ${each.user}  seq ${each.lastSeq}  acked ${each.acked}  ${each.lag} behind  seen ${timeText(each.seenAt)}`,
    ),
  ].join("\n");
}
