import type { Terminal } from "./terminal.js";

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
