import { describe, expect, it } from "vitest";
import { SchemaError, didYouMean } from "./schema-error.js";

describe("did you mean", () => {
  it.each([
    ["indexs", "indexes"], ["INDEXES", "indexes"], ["feilds", "fields"], ["merg", "merge"], ["uniqe", "unique"],
  ])("%s is near %s", (name, near) => {
    expect(didYouMean(name, ["fields", "merge", "unique", "indexes"])).toBe(` Did you mean "${near}"?`);
  });

  it.each(["zzzzzz", "", "x", "ab"])("%j is near nothing", (name) => {
    expect(didYouMean(name, ["fields", "merge", "unique", "indexes"])).toBe("");
  });

  it("a SchemaError is an Error with its own name", () => {
    expect(new SchemaError("x")).toBeInstanceOf(Error);
    expect(new SchemaError("x").name).toBe("SchemaError");
  });
});
