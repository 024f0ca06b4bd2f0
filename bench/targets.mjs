/**
 * What every figure is judged by, in this one place.
 *
 * `maxRatio`: Landfall's median may be at most so many times the floor's median of the same interleaved
 * runs. `max`: Landfall's median may be at most this; `below`: must be under it. Figures without an
 * entry are printed for information.
 *
 * @typedef {{ maxRatio: number } | { max: number } | { below: number }} Target
 * @type {Readonly<Record<string, Target>>}
 */
export const targets = {
  "W1.acknowledgedMs": { maxRatio: 2 },

  "W2.readable10kMs": { maxRatio: 2.5 },
  "W2.readable100kMs": { maxRatio: 2.5 },
  // Ten times the records may take ten times as long, and a little for what larger heaps cost.
  "W2.growth": { max: 1.25 },
  "W2.serverPeakBytes": { maxRatio: 2 },
  "W2.clientPeakBytes": { maxRatio: 2.5 },

  "W3.one.p50Ms": { maxRatio: 2 },
  "W3.one.p99Ms": { maxRatio: 4 },
  "W3.hundred.p50Ms": { maxRatio: 2 },
  "W3.hundred.p99Ms": { maxRatio: 4 },

  "W4.roundTrips": { max: 1 },
  "W4.wireBytes": { max: 8_000 },

  "W5.perSocketBytes": { maxRatio: 2 },

  "W6.visibleP50Ms": { below: 0.05 },
  "W6.visibleP99Ms": { below: 0.5 },
  "W6.reopenMs": { below: 150 },

  "bundle.bytes": { max: 20_480 },

  // Ten times the pending events over the same touched records: the same work, and some for the larger maps.
  "W7.pendingGrowth": { max: 2 },
  // Ten times the touched records: at most ten times the work.
  "W7.touchedGrowth": { max: 10 },

  // 2,000 operations a second on one core.
  "SIM.operationMs": { max: 0.5 },
};
