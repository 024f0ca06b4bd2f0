import type { Stamp } from "@landfall/protocol";
import type { Cloned, Request, Started } from "../history.js";

/**
 * Events that lay in an outbox of which there was another: that of a copied installation, or of a disk that fell back to
 * an older copy, lost what says which seqs were sent, or had no room for it. The other life of the device has sent them, under a seq that this one does not know. Until this one has
 * sent them too and been told, nothing can say to it that they are in base already (rule 5 goes by the device's own seq).
 */
export class SharedOutboxes {
  /** Each from where in the entries on. */
  readonly #events = new Map<string, Map<Stamp, number>>();
  /** What each device has sent under the id that it has now. */
  readonly #sent = new Map<string, { readonly deviceId: string; readonly events: Set<Stamp> }>();
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

  /** A copy that was found out goes on under another id: what it had sent under the one before is as that of an outbox that was shared. */
  asked({ device, deviceId, spaces }: Request, position: number): void {
    let sent = this.#sent.get(device);
    if (sent?.deviceId !== deviceId) {
      for (const event of sent?.events ?? [])
        if (!this.has(device, event, position)) this.add(device, event, position);
      this.#sent.set(device, (sent = { deviceId, events: new Set() }));
    }
    for (const { events } of spaces) for (const { id } of events) sent.events.add(id);
  }

  add(device: string, event: Stamp, since = 0): void {
    let events = this.#events.get(device);
    if (!events) this.#events.set(device, (events = new Map()));
    events.set(event, since);
  }

  has(device: string, event: Stamp, position: number): boolean {
    return this.sinceWhen(device, event) <= position;
  }

  /** From where on it is shared; never, where it is not. */
  sinceWhen(device: string, event: Stamp): number {
    return this.#events.get(device)?.get(event) ?? Number.POSITIVE_INFINITY;
  }
}
