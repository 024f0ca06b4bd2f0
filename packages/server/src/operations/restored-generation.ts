import { type ClockPort, type RandomPort, maxStampCounter, randomIdentifier } from "@landfall/protocol";
import type { GenerationStart, SpaceTransaction, Storage } from "../storage/port.js";

/** What a restore needs of the world. */
export interface RestorePorts {
  readonly clock: ClockPort;
  readonly random: RandomPort;
}

/**
 * Begins the new history of a space whose storage was brought back from a copy (DESIGN rule 12): rows, ids and
 * members stay, seqs start anew, and clients learn that what came after `at`, the copy's head, is not there.
 * It is the only way in which a generation is `restored`.
 *
 * @returns undefined where there is no such space.
 */
export async function startRestoredGeneration(
  transaction: SpaceTransaction,
  { clock, random }: RestorePorts,
): Promise<GenerationStart | undefined> {
  const opened = await transaction.open("server", "");
  if (!opened) return undefined;
  const { state } = opened;
  // No earlier than what the copy holds, and nothing that is written from here on is: so what was lost may be later
  // than the copy, and never than what comes, whatever the clock does meanwhile (rule 6).
  const startedAt = Math.max(Math.floor(clock.now()), state.receivedMs);
  const start = {
    generation: randomIdentifier(random),
    reason: "restored",
    parent: state.generation,
    at: state.head,
    startedAt,
  };
  await transaction.startGeneration(
    start,
    { ...state, generation: start.generation, receivedMs: startedAt, receivedCounter: maxStampCounter },
    false,
  );
  return start;
}

/** A space that was restored, and how its new history begins. */
export interface RestoredSpace extends GenerationStart {
  readonly space: string;
}

/**
 * Begins a new history in every space of a storage that was brought back from a copy. Comes before anybody is
 * served, so that no client meets the old generation with the copy's rows.
 */
export async function startRestoredGenerations(
  storage: Storage,
  ports: RestorePorts,
): Promise<readonly RestoredSpace[]> {
  const restored: RestoredSpace[] = [];
  for (const space of await storage.read((snapshot) => snapshot.spaces())) {
    const start = await storage.write(space, (transaction) => startRestoredGeneration(transaction, ports));
    if (start) restored.push({ space, ...start });
  }
  return restored;
}
