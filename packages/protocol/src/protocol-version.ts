/** The version that `protocol` says in a request. One line a change:
 * 1 — readable records: exchange, plain pull, info, spaces and members, socket with pokes and deltas, reconciliation, offering back after a restore.
 */
export const protocolVersion = 1;
