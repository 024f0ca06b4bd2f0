import type { TimerPort } from "@landfall/protocol";
import { UnreconciledError } from "./repair.js";

/** Reconciliations that are tried for one difference, and then fetches of the whole domain. */
const maxReconciliations = 2;
const maxFetches = 3;
/** A server that cannot be asked is asked again so often, after 5 s, 10 s, 20 s…; then the domain is fetched. */
const maxRetries = 4;
const retryMs = 5_000;

interface DomainRepair {
  /** Since the digests agreed last. */
  tries: number;
  retries: number;
  /** A reconciliation is under way, or waits to be tried again. */
  running: boolean;
  stopTimer: () => void;
}

/** What repairs do; the space says how. */
export interface RepairSteps {
  /**
   * Finds what differs and mends it.
   * @returns how many rows were mended; undefined when the domain is not to be mended now.
   * @throws UnreconciledError where that cannot help, anything else where it may help later.
   */
  mend(domain: string): Promise<number | undefined>;
  fetchAgain(domain: string): void;
  report(code: string, message: string): void;
  changed(): void;
}

/**
 * What is done about digests that differ (DESIGN rule 10): the rows that differ are found and mended; where that
 * fails or does not help, the domain is fetched again; where that does not help either, it is reported and left.
 * Everything is bounded until the digests agree again, and nothing waits for it.
 */
export class Repairs {
  readonly #domains = new Map<string, DomainRepair>();
  readonly #steps: RepairSteps;
  readonly #timers: TimerPort;
  #stopped = false;
  /** Rows that were mended since the space was opened. */
  mendedRows = 0;

  constructor(timers: TimerPort, steps: RepairSteps) {
    this.#timers = timers;
    this.#steps = steps;
  }

  /** The domains that are being mended. */
  get running(): readonly string[] {
    return [...this.#domains].filter(([, { running }]) => running).map(([domain]) => domain);
  }

  agrees(domain: string): void {
    if (!this.#domains.get(domain)?.running) this.#domains.delete(domain);
  }

  differs(domain: string): void {
    let repair = this.#domains.get(domain);
    if (!repair)
      this.#domains.set(
        domain,
        (repair = { tries: 0, retries: 0, running: false, stopTimer: () => undefined }),
      );
    if (repair.running || this.#stopped) return;
    repair.tries += 1;
    if (repair.tries <= maxReconciliations) {
      this.#steps.report(
        "digest_differs",
        `${domain} differs from the server's; the rows that do are looked for.`,
      );
      repair.retries = 0;
      void this.#mend(domain, repair);
    } else if (repair.tries <= maxReconciliations + maxFetches) this.#fetch(domain, "mending did not help");
    else if (repair.tries === maxReconciliations + maxFetches + 1)
      this.#steps.report(
        "digest_differs",
        `${domain} differs from the server's, and neither mending nor fetching it again helped.`,
      );
  }

  #fetch(domain: string, why: string): void {
    this.#steps.report(
      "digest_differs",
      `${domain} differs from the server's, and is fetched again: ${why}.`,
    );
    this.#steps.fetchAgain(domain);
  }

  async #mend(domain: string, repair: DomainRepair): Promise<void> {
    repair.running = true;
    this.#steps.changed();
    try {
      const rows = await this.#steps.mend(domain);
      repair.running = false;
      if (rows === undefined || this.#stopped) return;
      this.mendedRows += rows;
      this.#steps.report(
        "repaired",
        rows > 0
          ? `${rows} rows of ${domain} were mended.`
          : `${domain} was compared row by row, and is equal.`,
      );
    } catch (error) {
      if (!this.#stopped) this.#failed(domain, repair, error);
    } finally {
      this.#steps.changed();
    }
  }

  #failed(domain: string, repair: DomainRepair, error: unknown): void {
    if (error instanceof UnreconciledError || repair.retries >= maxRetries) {
      repair.running = false;
      // What is left is to fetch it; comparing it again would come to the same.
      repair.tries = Math.max(repair.tries, maxReconciliations + 1);
      this.#fetch(domain, error instanceof Error ? error.message : String(error));
      return;
    }
    repair.stopTimer = this.#timers.after(
      retryMs * 2 ** repair.retries,
      () => void this.#mend(domain, repair),
    );
    repair.retries += 1;
  }

  stop(): void {
    this.#stopped = true;
    for (const { stopTimer } of this.#domains.values()) stopTimer();
  }
}
