import type { Terminal } from "./serve.js";

/** A terminal whose person asks to stop when the test does. */
export function testTerminal(): {
  readonly terminal: Terminal;
  readonly lines: readonly string[];
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
  return { terminal: { print, stop: stopped }, lines, url, stop };
}
