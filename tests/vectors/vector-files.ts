import { digestVectors } from "./digest-vectors.js";
import { historyVectors } from "./history-vectors.js";
import { mergeVectors } from "./merge-vectors.js";
import { messageVectors } from "./message-vectors.js";
import { reconcileVectors } from "./reconcile-vectors.js";
import { stampVectors } from "./stamp-vectors.js";

/** All vectors: the files of docs/vectors, by their names. */
export async function vectorFiles(): Promise<{ readonly [name: string]: object }> {
  return {
    "digest.json": digestVectors(),
    "history.json": await historyVectors(),
    "merge.json": mergeVectors(),
    "messages.json": messageVectors(),
    "reconcile.json": reconcileVectors(),
    "stamps.json": stampVectors(),
  };
}

/** A file as it is written. */
export const fileText = (content: object): string => `${JSON.stringify(content, null, 1)}\n`;
