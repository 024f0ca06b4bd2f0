import type { Terminal } from "./terminal.js";

/** What a server of a test is told that its command would have from its defaults, on any port that is free. */
export const serverOptions = {
  port: 0,
  host: "127.0.0.1",
  maxSocketsPerAddress: 256,
  keepDeletes: 90,
  recoverFor: 30,
  keepOutcomes: 30,
};

/** A terminal whose person asks to stop when the test does. */
export function testTerminal(): {
  readonly terminal: Terminal;
  readonly lines: readonly string[];
  /** What went to standard error. */
  readonly told: readonly string[];
  /** Where the server listens, once it does. */
  readonly url: Promise<string>;
  stop(): void;
} {
  const lines: string[] = [];
  let stop!: () => void;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  let started!: (url: string) => void;
  const url = new Promise<string>((resolve) => (started = resolve));
  const print = (line: string): void => {
    lines.push(line);
    const said = /http:\/\/[\d.]+:\d+/.exec(line);
    if (said) started(said[0]);
  };
  const told: string[] = [];
  const tell = (line: string): void => void told.push(line);
  return { terminal: { print, tell, stop: stopped }, lines, told, url, stop };
}
