/** A device as it was heard of last. */
export interface Sighting {
  readonly device: string;
  readonly user: string;
  readonly seenAt: number;
  /** The version up to which it then had every domain that it follows. */
  readonly cursor: number;
  /** Up to here it had the outcomes of its events. */
  readonly acked: number;
}

/** Devices that are remembered at once; the longest unheard goes first. */
const maxSightings = 10_000;

/**
 * Where devices are that only read: their exchanges write nothing, and an fsync for each would be a high
 * price for inspection. Kept in memory; what devices write carries the same into the storage, and each sweep what they
 * have acknowledged.
 */
export class Sightings {
  readonly #byDevice = new Map<string, Sighting & { readonly space: string; readonly generation: string }>();

  note(space: string, generation: string, sighting: Sighting): void {
    const name = JSON.stringify([space, sighting.device, sighting.user]);
    this.#byDevice.delete(name);
    this.#byDevice.set(name, { space, generation, ...sighting });
    if (this.#byDevice.size > maxSightings)
      this.#byDevice.delete(this.#byDevice.keys().next().value as string);
  }

  of(space: string, generation: string): readonly Sighting[] {
    return [...this.#byDevice.values()].filter(
      (sighting) => sighting.space === space && sighting.generation === generation,
    );
  }
}
