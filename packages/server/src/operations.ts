export {
  type RestorePorts,
  type RestoredSpace,
  startRestoredGeneration,
  startRestoredGenerations,
} from "./operations/restored-generation.js";
export { type FindingCode, type Findings, type VerifyFinding, findingCodes } from "./operations/findings.js";
export { type VerifyOptions, type VerifyReport, verify } from "./operations/verify.js";
export { type Progress } from "./operations/verify-records.js";
export { verifyFile } from "./storage/verify-file.js";
export {
  Retention,
  type RetentionCounts,
  type RetentionOptions,
  retentionDefaults,
} from "./operations/retention.js";
