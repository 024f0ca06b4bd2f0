/**
 * The seam between the workloads and what they measure. A driver names a module for each role; the
 * harness runs each role in a process of its own. `floor` and `landfall` are the two drivers, and a
 * workload treats them alike.
 *
 * @typedef {object} Driver
 * @property {string} name
 * @property {URL} server Module of a {@link ServerRole}.
 * @property {URL} client Module of a {@link ClientRole}.
 * @property {URL} bareServer Module of the {@link ServerRole} that W5 measures: only `start` and `stop`.
 * @property {URL} idleSockets Module of an {@link IdleRole}.
 *
 * @typedef {object} ServerRole
 * @property {(at: { dataDir: string }) => Promise<{ port: number }>} start
 *   Listens on a free port of 127.0.0.1, on the data in the folder. May be called again after `stop`.
 * @property {() => Promise<number>} count How many records are in the database file, read from the file.
 * @property {() => Promise<void>} stop
 *
 * @typedef {object} ClientRole
 * @property {(at: Opening) => Promise<void>} open
 *   A client that is offline; with `file`, over a stored replica. A `joined` one has been in touch with the
 *   server before: it knows its space, and its code for connecting has run.
 * @property {(records: { from: number, count: number }) => Promise<void>} queue
 *   Creates records while offline: in the view at once, pending until the client is online.
 * @property {() => Promise<{ ms: number }>} upload
 *   Goes online; the time from then until the last queued write is acknowledged.
 * @property {(records: { count: number }) => Promise<{ ms: number }>} catchUp
 *   Goes online; the time until `count` records are readable in the client.
 * @property {() => Promise<number>} held How many records are readable in the client.
 * @property {() => Promise<void>} goOffline
 * @property {(written: Written) => Promise<void>} update
 *   Sets a field of records that the client holds; does not wait for an acknowledgement.
 * @property {() => Promise<void>} settled Every write so far is acknowledged.
 * @property {(expected: Written) => Promise<{ ms: number }>} reconnect
 *   Goes online; the time until all own writes are acknowledged and what others wrote is readable.
 * @property {(writes: { from: number, count: number, spacingMs: number }) => Promise<number[]>} writeSpaced
 *   Creates records one by one; the moment of each write ({@link nowMs}).
 * @property {(watch: Receiving) => Promise<void>} receive
 *   Opens so many live clients that note when they see each of the records.
 * @property {() => Promise<number[]>} received
 *   When all have been seen by all: for each record the moment at which the last client could read it.
 * @property {(writes: { count: number }) => Promise<number[]>} writeLocally
 *   Updates held records one by one; milliseconds from each call until a watch callback has the new value.
 * @property {(at: { file: string, count: number }) => Promise<{ ms: number }>} reopen
 *   Opens a stored replica with no server; the time until `count` records are readable.
 * @property {(expected: Written) => Promise<{ ms: number }>} [rebase]
 *   For W7, which has no floor: fetches while all own writes stay pending; the time from the arrival of the
 *   answer until what others wrote is visible under the pending writes.
 * @property {() => Promise<void>} close
 *
 * @typedef {{ port: number, device: string, file?: string, joined?: boolean }} Opening
 * @typedef {{ port: number, clients: number, from: number, count: number }} Receiving
 * @typedef {{ title: string } | { note: string }} Patch
 * @typedef {{ from: number, count: number, patch: Patch }} Written
 *
 * @typedef {object} IdleRole
 * @property {(at: { port: number, sockets: number }) => Promise<void>} connect Until each socket is ready and idle.
 * @property {() => Promise<void>} close
 */

export {};
