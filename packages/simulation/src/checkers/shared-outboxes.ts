import type { Stamp } from "@landfall/protocol";
import type { Cloned, Started } from "../history.js";

/**
 * Events that lay in an outbox of which there was another: that of a copied installation, or of a disk that fell back to
 * an older copy, lost what says which seqs were sent, or had no room for it. The other life of the device has sent them, under a seq that this one does not know. Until this one has
 * sent them too and been told, nothing can say to it that they are in base already (rule 5 goes by the device's own seq).
 */
export class SharedOutboxes {
  readonly #events = new Map<string, Set<Stamp>>();
  /** Devices whose next start shows what they share, and with whom. */
  readonly #expected = new Map<string, readonly string[]>();

  copied({ device, from }: Cloned): void {
    this.#expected.set(device, [device, from]);
  }

  fellBack(device: string): void {
    this.#expected.set(device, [device]);
  }

  started({ device, outbox }: Started): void {
    for (const sharing of this.#expected.get(device) ?? [])
      for (const event of Object.values(outbox).flat()) this.add(sharing, event);
    this.#expected.delete(device);
  }

  add(device: string, event: Stamp): void {
    let events = this.#events.get(device);
    if (!events) this.#events.set(device, (events = new Set()));
    events.add(event);
  }

  has(device: string, event: Stamp): boolean {
    return this.#events.get(device)?.has(event) ?? false;
  }
}
