import type { Schedule } from "@landfall/server/storage/group-commit";
import type { Storage } from "@landfall/server/storage/port";
import type { CallPorts } from "./call-gate.js";
import type { ServerCallKind } from "./gated-server-storage.js";

/** How the world steers a server's storage. */
export interface ServerDiskPorts extends CallPorts<ServerCallKind> {
  /** When a group commit begins; soon, unless given. */
  readonly schedule?: Schedule;
}

/**
 * The disk of a server. What was committed is on it; everything else is in the process that has it open, and ends
 * with that process.
 */
export interface ServerDisk {
  /** Starts a process on it. @throws Error while another has it open. */
  open(ports?: ServerDiskPorts): Storage;
  /** Ends the process at once, as a power loss does: what was not committed is gone, and no call of its storage answers any more. */
  crash(): void;
  /** A disk of its own that holds what is committed now. */
  copy(): ServerDisk;
  /** Lets go of what it holds outside of memory. The process must have ended. */
  dispose(): void;
}
