import type { EngineStats } from "../engine-types.js";
import { Counter, Histogram, sampleText } from "./metric.js";

/** From a fraction of a millisecond, which a small exchange takes, to what a person would call broken. */
const durationBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Everything that the carrying parts of the server count; the core's own counts are read at the scrape. */
export class ServerMetrics {
  readonly requests = new Counter(
    "landfall_http_requests_total",
    "HTTP requests by route, method and status.",
  );
  readonly durations = new Histogram(
    "landfall_http_request_seconds",
    "Time from the head of a request to the end of its answer.",
    durationBounds,
  );
  readonly exchanges = new Counter(
    "landfall_exchanges_total",
    "Exchanges by result: ok, or the code of the refusal.",
  );
  readonly reconciles = new Counter(
    "landfall_reconciles_total",
    "Rounds of reconciliation by result: ok, or the code of the refusal.",
  );
  readonly socketsRefused = new Counter(
    "landfall_sockets_refused_total",
    "Sockets that were refused or cut off, by reason.",
  );
  readonly pokes = new Counter("landfall_pokes_total", "Pokes sent.");
  readonly deltas = new Counter("landfall_deltas_total", "Deltas sent.");
  readonly heads = new Counter("landfall_heads_total", "Messages with the heads of what is watched.");
  readonly delivery = new Histogram(
    "landfall_delivery_lag_seconds",
    "Time from the commit's clock reading to the poke or delta.",
    durationBounds,
  );
  readonly committedEvents = new Histogram(
    "landfall_commit_events",
    "Events of one space in one database commit.",
    [1, 2, 5, 10, 25, 50, 100, 250, 1_000],
  );

  /** @param sockets open just now. */
  exposition(stats: EngineStats, sockets: number, residentBytes: number): string {
    const counted = [
      this.requests,
      this.durations,
      this.exchanges,
      this.reconciles,
      this.socketsRefused,
      this.pokes,
      this.deltas,
      this.heads,
      this.delivery,
      this.committedEvents,
    ];
    const events = Object.entries(stats.events).map(([status, count]) => [{ status }, count] as const);
    return (
      counted.map((metric) => metric.text()).join("") +
      sampleText("landfall_sockets", "Sockets open.", "gauge", [[{}, sockets]]) +
      sampleText("landfall_events_total", "Events by the status of their outcome.", "counter", events) +
      sampleText("landfall_rows_sent_total", "Rows sent in answers.", "counter", [[{}, stats.rowsSent]]) +
      sampleText("landfall_commits_total", "Database commits.", "counter", [[{}, stats.commits]]) +
      sampleText("landfall_commit_batches_total", "Batches of writes that those commits held.", "counter", [
        [{}, stats.batches],
      ]) +
      sampleText("landfall_commit_batches_max", "The most batches that one commit held.", "gauge", [
        [{}, stats.largestGroup],
      ]) +
      sampleText("landfall_lost_groups_total", "Groups whose transaction was lost and deferred.", "counter", [
        [{}, stats.lostGroups],
      ]) +
      retentionText(stats.retention) +
      sampleText("process_resident_memory_bytes", "Resident memory of the process.", "gauge", [
        [{}, residentBytes],
      ])
    );
  }
}

function retentionText({ sweeps, failures, tombstones, outcomes }: EngineStats["retention"]): string {
  const counter = (name: string, help: string, count: number): string =>
    sampleText(name, help, "counter", [[{}, count]]);
  return (
    counter("landfall_sweeps_total", "Sweeps of what has had its time.", sweeps) +
    counter("landfall_sweep_failures_total", "Sweeps that failed.", failures) +
    counter("landfall_tombstones_cleared_total", "Deletes that are no longer remembered.", tombstones) +
    counter(
      "landfall_outcomes_expired_total",
      "Outcomes of idle devices whose bodies were dropped.",
      outcomes,
    )
  );
}
