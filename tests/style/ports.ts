/**
 * The files that implement ports, and so are the only ones in which a package touches the world (DESIGN
 * rule 11): what each uses, and why it is there.
 */
export const ports: Readonly<Record<string, { readonly uses: readonly string[]; readonly reason: string }>> =
  {
    "packages/client/src/browser-socket.ts": {
      uses: ["WebSocket"],
      reason: "the socket of browsers",
    },
    "packages/client/src/platform.ts": {
      uses: ["BroadcastChannel", "Date.now", "crypto", "fetch", "navigator", "performance", "setTimeout"],
      reason: "the client's ports on the platform that it runs on",
    },
    "packages/client/src/storage/indexeddb.ts": {
      uses: ["indexedDB"],
      reason: "the storage of browsers",
    },
    "packages/server/src/auth/jwks.ts": {
      uses: ["fetch"],
      reason: "fetches an issuer's keys, unless given another fetch",
    },
    "packages/server/src/auth/jwt.ts": {
      uses: ["crypto"],
      reason: "makes a key of the shared secret; no randomness is drawn",
    },
    "packages/server/src/logger.ts": {
      uses: ["new Date"],
      reason: "the default logger stamps its lines; nothing in the engine reads them",
    },
  };
