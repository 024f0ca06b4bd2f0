import { CommandError } from "./command-error.js";
import type { Patience } from "./conformance/bench.js";
import { type Report, runConformance, selected } from "./conformance/run.js";
import { serverAddress } from "./server-address.js";

export { describeReport } from "./conformance/run.js";

export interface ConformanceOptions {
  readonly url: string;
  readonly token: string;
  readonly secondToken?: string;
  /** Checks or groups of checks, with commas between them. */
  readonly only?: string;
  /** How long is waited for the socket; minutes in all where nothing comes. */
  readonly patience?: Patience;
}

/** `landfall conformance`: asks a server of any make all that the protocol says. */
export async function conformance(options: ConformanceOptions): Promise<Report> {
  const { url, token, secondToken, only, patience } = options;
  const names = only?.split(",");
  try {
    selected(names);
  } catch (error) {
    throw new CommandError((error as Error).message);
  }
  try {
    return await runConformance({
      url: serverAddress(url),
      token,
      ...(secondToken === undefined ? {} : { secondToken }),
      ...(names === undefined ? {} : { only: names }),
      ...(patience === undefined ? {} : { patience }),
      now: () => Date.now(),
      elapsedMs: () => performance.now(),
    });
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).message;
    throw new CommandError(
      `The checks cannot begin: ${cause.replace(/\.$/, "")}. Check the address and the token with: landfall doctor`,
    );
  }
}
