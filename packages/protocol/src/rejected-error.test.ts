import { expect, test } from "vitest";
import { RejectedError, rejectionCode } from "./rejected-error.js";

test("rule 9: an action rejects with a code of its own", () => {
  expect(rejectionCode(new RejectedError("too_poor", "The account has too little."))).toBe("too_poor");
});

test("§13: what is no rejection, or carries no sound code, gives none", () => {
  expect(rejectionCode(new Error("exists"))).toBeUndefined();
  expect(rejectionCode(new RejectedError("no spaces please", "…"))).toBeUndefined();
  expect(rejectionCode({ name: "RejectedError", code: "exists" })).toBeUndefined();
  expect(rejectionCode(undefined)).toBeUndefined();
});
