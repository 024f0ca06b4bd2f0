import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A process that says things as lines of JSON. */
export class Child<Line> {
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  /** What it has said so far. */
  readonly lines: Line[] = [];
  #heard = (): void => {};

  /** @param under a program that starts it, with its arguments: a shell that limits what it may do. */
  constructor(program: string, args: readonly string[], under: readonly string[] = []) {
    const [command = "", ...rest] = [...under, process.execPath, "--no-warnings", program, ...args];
    this.#process = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
    this.#closed = once(this.#process, "close").then(() => this.#heard());
    createInterface({ input: this.#process.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#heard();
    });
  }

  /** Undefined where it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Whether it has ended by itself, or was ended. */
  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Resolves when what it said is enough. @throws Error when it ends before. */
  async until(isEnough: (lines: readonly Line[]) => boolean): Promise<void> {
    while (!isEnough(this.lines)) {
      if (this.hasEnded) throw new Error("The process has ended before its time.");
      await new Promise<void>((resolve) => (this.#heard = resolve));
    }
  }

  /** Ends it without a warning; resolves when all that it said has been heard. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#closed;
  }
}
