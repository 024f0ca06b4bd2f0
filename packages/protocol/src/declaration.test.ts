import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { protocolDeclaration } from "./declaration.js";
import { protocolVersion } from "./protocol-version.js";
import { exchangeRequest } from "./exchange-request.js";

/** The hash of the whole declaration for each version. A version that has been released never gets another hash. */
const pinned: Readonly<Record<number, string>> = {
  1: "8bfe4bfb7ff555f386728c4cd9b4da046f6bb9264e51acf9353e3899245b905e",
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
      "rowDecoder",
      "rowsAnswer",
      "serverMessage",
      "setMemberRequest",
      "socketAuth",
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
    expect(exchangeRequest.shape).toContain(`{protocol:${protocolVersion},`);
  });
});
