/** A file that implements ports: the effects that it uses, and why it is there. */
interface PortFile {
  readonly uses: readonly string[];
  readonly reason: string;
}

/** The only files in which a package touches the world (DESIGN rule 11). */
export const ports: Readonly<Record<string, PortFile>> = {
  "packages/cli/src/conformance.ts": {
    uses: ["Date.now", "performance"],
    reason: "hands the machine's clocks to the conformance kit",
  },
  "packages/cli/src/conformance/caller.ts": {
    uses: ["fetch"],
    reason: "the conformance kit asks a server over HTTP",
  },
  "packages/cli/src/conformance/checks/requests.ts": {
    uses: ["node:crypto"],
    reason: "forges a token's signature; no randomness is drawn",
  },
  "packages/cli/src/conformance/reconcile-frame.ts": {
    uses: ["node:crypto"],
    reason: "hashes fingerprints apart from packages/protocol; no randomness is drawn",
  },
  "packages/cli/src/conformance/row-digest.ts": {
    uses: ["node:crypto"],
    reason: "hashes rows apart from packages/protocol; no randomness is drawn",
  },
  "packages/cli/src/conformance/socket-end.ts": {
    uses: ["setTimeout"],
    reason: "waits no longer for a server than it says",
  },
  "packages/cli/src/conformance/stamps.ts": {
    uses: ["node:crypto"],
    reason: "names and tails that nobody else has, on a server that others use too",
  },
  "packages/cli/src/doctor.ts": {
    uses: ["fetch", "setTimeout"],
    reason: "asks a server as a client would; a command, which no engine part imports",
  },
  "packages/cli/src/machine.ts": {
    uses: ["Date.now", "node:crypto", "performance"],
    reason: "hands the machine's clock and randomness to the commands",
  },
  "packages/cli/src/terminal.ts": {
    uses: ["setImmediate"],
    reason: "lets Ctrl-C get through between the steps of long work",
  },
  "packages/client/src/browser-net.ts": {
    uses: ["WebSocket", "fetch"],
    reason: "the network of browsers",
  },
  "packages/client/src/node-fetch.ts": {
    uses: ["node:http", "node:https"],
    reason: "the network of Node",
  },
  "packages/client/src/platform.ts": {
    uses: [
      "BroadcastChannel",
      "Date.now",
      "crypto",
      "localStorage",
      "navigator",
      "performance",
      "setTimeout",
    ],
    reason: "the client's ports on the platform that it runs on",
  },
  "packages/simulation/src/model/digest.ts": {
    uses: ["node:crypto"],
    reason: "the model hashes with another SHA-256 than the product; no randomness is drawn",
  },
  "packages/client/src/storage/indexeddb.ts": {
    uses: ["crypto", "indexedDB", "setTimeout"],
    reason:
      "the storage of browsers, which may not answer; a new database is marked with random bits, which nothing reads but to compare",
  },
  "packages/server/src/auth/jwks.ts": {
    uses: ["fetch"],
    reason: "fetches an issuer's keys, unless given another fetch",
  },
  "packages/server/src/auth/jwt.ts": {
    uses: ["crypto"],
    reason: "makes a key of the shared secret; no randomness is drawn",
  },
  "packages/server/src/http/node-listener.ts": {
    uses: ["node:http"],
    reason: "the listener of a server that runs by itself",
  },
  "packages/server/src/platform.ts": {
    uses: ["node:crypto", "Date.now", "setTimeout", "performance"],
    reason: "the server's ports on Node",
  },
  "packages/server/src/storage/sqlite.ts": {
    uses: ["setImmediate"],
    reason: "when a group commit ends, unless given another schedule",
  },
  "packages/simulation/src/turn.ts": {
    uses: ["setImmediate"],
    reason:
      "ends a step of the simulated world when all that was promised in it has happened; nothing waits for time",
  },
  "packages/server/src/logger.ts": {
    uses: ["new Date"],
    reason: "the default logger stamps its lines; nothing in the engine reads them",
  },
};
