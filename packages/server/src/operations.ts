export {
  type RestorePorts,
  type RestoredSpace,
  startRestoredGeneration,
  startRestoredGenerations,
} from "./operations/restored-generation.js";
