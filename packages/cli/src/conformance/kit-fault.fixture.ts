import type { Tampering } from "./broken-server.fixture.js";

/** A way of being wrong, and the checks that must turn red by it. */
export interface KitFault {
  readonly name: string;
  readonly reddens: readonly string[];
  readonly tampering: () => Tampering;
}

/** What stands in place of a refusal. */
export const isApplied = { status: "applied", index: 99, modifiedAt: 1 };

export const fault = (name: string, reddens: readonly string[], tampering: () => Tampering): KitFault => ({
  name,
  reddens,
  tampering,
});
