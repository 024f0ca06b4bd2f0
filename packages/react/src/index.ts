export { LandfallProvider, type LandfallProviderProps, useClient } from "./provider.js";
export { type ActionProgress, useAction } from "./use-action.js";
export { useInbox } from "./use-inbox.js";
export { useRecord, useRecords } from "./use-records.js";
export { type OpeningSpace, useSpace } from "./use-space.js";
export { useSyncStatus } from "./use-sync-status.js";
