import { type VerifyReport, findingCodes, verifyFile } from "@landfall/server/operations";
import { onFile, sqliteFile } from "./storage-address.js";
import { type Terminal, watchWork } from "./terminal.js";
import type { Machine } from "./machine.js";

/** `landfall verify`: every digest and invariant of a data file, recomputed beside the server that may be running on it. */
export function verify(
  options: { readonly storage: string },
  terminal: Terminal,
  machine: Machine,
): Promise<VerifyReport> {
  const file = sqliteFile(options.storage);
  const progress = watchWork(
    terminal,
    machine.elapsedMs,
    (done) => `Verifying ${file}: ${done} rows …`,
    "Stopped. Nothing was written.",
  );
  return onFile(() => verifyFile(file, progress));
}

export function describeVerification(report: VerifyReport): string {
  const { ok, spaces, records, tombstones, outcomes, findings, counts } = report;
  const looked = `${spaces} space(s), ${records} record(s), ${tombstones} tombstone(s) and ${outcomes} outcome(s)`;
  const lines = [...new Set(findings.map(({ code }) => code))].flatMap((code) => {
    const told = findings.filter((finding) => finding.code === code);
    const more = (counts[code] ?? 0) - told.length;
    return [
      `${told.some(({ isDamage }) => isDamage) ? "DAMAGED" : "notice "} ${code}: ${findingCodes[code]}`,
      ...told.map(({ space, said }) => `  ${space === undefined ? "" : `${space}  `}${said}`),
      ...(more > 0 ? [`  … and ${more} more`] : []),
    ];
  });
  if (ok) return [...lines, `Sound: ${looked}.`].join("\n");
  return [
    ...lines,
    `Damaged; looked at ${looked}.`,
    "Keep a copy of the file as it is, stop the server, and restore the newest sound backup: landfall restore --help",
  ].join("\n");
}
