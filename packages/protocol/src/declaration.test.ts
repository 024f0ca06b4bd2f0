import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { shapeOf } from "./declared-shape.js";
import { protocolDeclaration } from "./declaration.js";
import { protocolVersion } from "./protocol-version.js";
import { exchangeRequest } from "./exchange-request.js";

/** The hash of the whole declaration for each version. A version that has been released never gets another hash. */
const pinned: Readonly<Record<number, string>> = {
  1: "c7fa13632480780826b25b0951cdbaac67d121cf23d63642ce36c10b82dec331",
};

describe("the wire is pinned", () => {
  it("the declaration has the hash that its version had before; another shape is another version", () => {
    expect(createHash("sha256").update(protocolDeclaration()).digest("hex")).toBe(pinned[protocolVersion]);
  });

  it("declares every message once, and requests name the version", () => {
    const names = protocolDeclaration()
      .split("\n")
      .map((line) => line.split(" = ")[0]);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual([
      "createSpaceAnswer",
      "createSpaceRequest",
      "digestDecoder",
      "exchangeAnswer",
      "exchangeRequest",
      "infoAnswer",
      "membersAnswer",
      "outcomeDecoder",
      "problemDecoder",
      "reconcileAnswer",
      "reconcileRequest",
      "rowDecoder",
      "rowsAnswer",
      "serverMessage",
      "setMemberRequest",
      "socketAuth",
      "socketExchange",
      "socketHello",
      "socketWatch",
      "spacesAnswer",
      "streamCheckpoint",
      "streamDone",
      "streamEnd",
      "streamFailure",
      "streamLine",
      "streamSpace",
      "streamTime",
    ]);
    expect(shapeOf(exchangeRequest)).toContain(`{protocol:${protocolVersion},`);
  });
});
