import { clientFaults } from "./client-faults.js";
import { deviceFaults } from "./device-faults.js";
import type { Fault } from "./fault.js";
import { operationsFaults } from "./operations-faults.js";
import { protocolFaults } from "./protocol-faults.js";
import { recoveryFaults } from "./recovery-faults.js";
import { serverFaults } from "./server-faults.js";
import { tabFaults } from "./tab-faults.js";
import { versionFaults } from "./version-faults.js";

/** Every fault that a test must catch; `node scripts/faults.mjs` plants them one after the other. */
export const faults: readonly Fault[] = [
  ...protocolFaults,
  ...serverFaults,
  ...clientFaults,
  ...recoveryFaults,
  ...deviceFaults,
  ...tabFaults,
  ...operationsFaults,
  ...versionFaults,
];
