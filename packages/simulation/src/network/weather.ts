/**
 * How likely each thing is that a network does to one request, answer or message; 0 for what this run does without.
 * What has no place here (going offline, partitions) is an event of the plan.
 */
export interface Weather {
  /** The usual time of one way, in milliseconds; each draws around it. */
  readonly delayMs: number;
  /** Out of the usual: the delay is multiplied by up to a thousand, more rarely the longer. */
  readonly tail: number;
  /** The request never arrives, and nobody says so. */
  readonly dropRequest: number;
  /** The server does its work, and the answer never arrives. */
  readonly dropAnswer: number;
  /** The connection breaks before the request has gone, as the sender notices. */
  readonly refuse: number;
  /** The request arrives, and the connection is reset before the answer. */
  readonly reset: number;
  /** The request arrives twice, the second time some time later; nobody hears the second answer. */
  readonly duplicate: number;
  /** The answer breaks off: as an error, or as if it had ended. */
  readonly truncate: number;
  /** Something between answers in place of the server: 413, 429, 502 or 503, as ours or as a page. */
  readonly status: number;
  /** A captive portal answers 200 with its own page. */
  readonly portal: number;
  /** A message of the socket is lost, comes twice, or comes before its time with a number not reached yet. */
  readonly losePoke: number;
  readonly doublePoke: number;
  readonly earlyPoke: number;
  /** Messages of the socket overtake each other. */
  readonly reorderPoke: number;
  /** The socket breaks at a message. */
  readonly dropSocket: number;
}

export const calm: Weather = {
  delayMs: 20,
  tail: 0,
  dropRequest: 0,
  dropAnswer: 0,
  refuse: 0,
  reset: 0,
  duplicate: 0,
  truncate: 0,
  status: 0,
  portal: 0,
  losePoke: 0,
  doublePoke: 0,
  earlyPoke: 0,
  reorderPoke: 0,
  dropSocket: 0,
};
