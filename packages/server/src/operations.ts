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
export {
  type BackedUpSpace,
  type BackupOptions,
  type BackupReport,
  type LastBackup,
  backupFile,
  lastBackup,
} from "./storage/backup-file.js";
export {
  DamagedBackupError,
  type RestoreOptions,
  type RestoreReport,
  restoreFile,
} from "./storage/restore-file.js";
export {
  type ExportChunk,
  ExportError,
  type ExportOptions,
  type ExportPosition,
  exportSpaces,
} from "./operations/export.js";
export {
  type ExportHeader,
  type ExportLine,
  exportFormat,
  exportLine,
  maxLineBytes,
} from "./operations/export-format.js";
export { ImportError, type ImportOptions, type ImportedSpace, Importer } from "./operations/import.js";
export { type ExportFileOptions, type ExportReport, exportFile } from "./storage/export-file.js";
export { type ImportFileOptions, importFile } from "./storage/import-file.js";
