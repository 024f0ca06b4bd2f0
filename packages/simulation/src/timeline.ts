import type { TraceLine } from "./trace.js";

/** What says little to a person who wants to know what went wrong. */
const dull =
  /^(timer|disk |answer (begins|goes on|ends)|tab message|takes|network hint|lock|socket .*(pong|hears)$)/;

const widest = 220;

/** A run for a person to read: when, who, what. @param last how many lines at most, from the end. */
export function timeline(lines: readonly TraceLine[], last = Number.POSITIVE_INFINITY): string {
  const told = lines.filter(({ kind }) => !dull.test(kind));
  const shown = told.slice(-last);
  const head = told.length > shown.length ? [`… ${told.length - shown.length} lines before`] : [];
  return [
    ...head,
    ...shown.map(({ atMs, actor, kind, text }) => {
      const line = `${(atMs / 1_000).toFixed(3).padStart(10)}  ${actor.padEnd(10)} ${kind} ${text.replaceAll("\n", " ")}`;
      return line.length > widest ? `${line.slice(0, widest)}…` : line;
    }),
  ].join("\n");
}
