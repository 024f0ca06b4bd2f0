export { makePlan } from "./make-plan.js";
export { run } from "./run.js";
export { report, shrunk } from "./seed-report.js";
export { timeline } from "./timeline.js";
