import type { Stamp } from "@landfall/protocol";
import type { Cloned, Started } from "../history.js";

/**
 * Events that lay in an outbox of which there was another: that of a copied installation, or of a disk that fell back to
 * an older copy. The other life of the device has sent them, under a seq that this one does not know. Until this one has
 * sent them too and been told, nothing can say to it that they are in base already (rule 5 goes by the device's own seq).
 * And until one of the two is found to be a copy (rule 3), both give the same seqs to their own events: one that was sent
 * and not answered passes for known when the other life has used its seq.
 */
export class SharedOutboxes {
  readonly #events = new Map<string, Set<Stamp>>();
  /** Devices whose next start shows what they share, and with whom. */
  readonly #expected = new Map<string, readonly string[]>();

  /** Where devices had a twin under their id that nobody had found yet. */
  readonly #twins = new Map<string, { readonly from: number; to: number; readonly all: readonly string[] }>();

  copied({ device, from }: Cloned, position: number): void {
    this.#begin([device, from], position);
    this.#expected.set(device, [device, from]);
  }

  fellBack(device: string, position: number): void {
    this.#begin([device], position);
    this.#expected.set(device, [device]);
  }

  #begin(all: readonly string[], from: number): void {
    for (const device of all) this.#twins.set(device, { from, to: Number.POSITIVE_INFINITY, all });
  }

  forked(device: string, position: number): void {
    for (const twin of this.#twins.get(device)?.all ?? []) {
      const found = this.#twins.get(twin);
      if (found) found.to = Math.min(found.to, position);
    }
  }

  isUndecided(device: string, position: number): boolean {
    const twin = this.#twins.get(device);
    return twin !== undefined && twin.from <= position && position <= twin.to;
  }

  started({ device, outbox }: Started): void {
    for (const sharing of this.#expected.get(device) ?? []) {
      const events = this.#events.get(sharing) ?? new Set();
      for (const event of Object.values(outbox).flat()) events.add(event);
      this.#events.set(sharing, events);
    }
    this.#expected.delete(device);
  }

  has(device: string, event: Stamp): boolean {
    return this.#events.get(device)?.has(event) ?? false;
  }
}
