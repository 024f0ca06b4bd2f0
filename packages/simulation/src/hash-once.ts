import type { Sha256 } from "@landfall/protocol";

/** A hash that works each text out once: all who hold a row hash the same text. */
export function hashOnce(hash: Sha256): Sha256 {
  const known = new Map<string, Uint8Array>();
  return (data) => {
    if (typeof data !== "string") return hash(data);
    let digest = known.get(data);
    if (!digest) known.set(data, (digest = hash(data)));
    return digest;
  };
}
