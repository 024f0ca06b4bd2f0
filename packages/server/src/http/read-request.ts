import { type Decoder, decode, protocolVersion } from "@landfall/protocol";
import { LandfallError } from "../landfall-error.js";

/**
 * Reads a request that says which protocol it speaks.
 * @throws LandfallError `protocol_unsupported`, `invalid_request`
 */
export function readRequest<T>(decoder: Decoder<T>, value: unknown): T {
  const version = (value as { protocol?: unknown } | null)?.protocol;
  if (typeof version === "number" && version !== protocolVersion) {
    throw new LandfallError(
      "protocol_unsupported",
      `The request speaks protocol ${version}, this server speaks ${protocolVersion}. Update whichever is older.`,
    );
  }
  const decoded = decode(decoder, value);
  if (!decoded.ok) throw new LandfallError("invalid_request", decoded.message);
  return decoded.value;
}
