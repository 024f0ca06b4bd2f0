import { measureBundle } from "../../scripts/bundle-size.mjs";

/** @type {import("../harness/workload.mjs").Workload} */
export const bundle = {
  id: "bundle",
  title: "Size: the client with IndexedDB storage, minified and gzipped, all chunks",
  sides: ["landfall"],
  metrics: { bytes: { label: "bundle", unit: "bytes" } },
  run: async () => ({ bytes: (await measureBundle()).bytes }),
};
