import { describe, expect, it } from "vitest";
import { SchemaError, refuseUnknown } from "./schema-error.js";

const known = ["fields", "merge", "unique", "indexes"];
const messageFor = (name: string): string => {
  try {
    return refuseUnknown("here", "option", name, known);
  } catch (error) {
    return (error as SchemaError).message;
  }
};

describe("an unknown name is refused", () => {
  it.each([
    ["indexs", "indexes"],
    ["INDEXES", "indexes"],
    ["feilds", "fields"],
    ["merg", "merge"],
    ["uniqe", "unique"],
    ["ufnique", "unique"],
  ])("%s was probably %s", (name, near) => {
    expect(messageFor(name)).toBe(
      `here: there is no option "${name}". Did you mean "${near}"? Known are: fields, merge, unique, indexes.`,
    );
  });

  it.each(["zzzzzz", "", "x", "ab", "fs"])("%j is near nothing", (name) => {
    expect(messageFor(name)).toBe(
      `here: there is no option "${name}". Known are: fields, merge, unique, indexes.`,
    );
  });

  it("a short name is not near every other short name", () => {
    expect(() => refuseUnknown("here", "comparison", "in", ["eq"])).toThrow(
      'no comparison "in". Known are: eq.',
    );
  });

  it("with an Error of its own name", () => {
    expect(new SchemaError("x")).toBeInstanceOf(Error);
    expect(new SchemaError("x").name).toBe("SchemaError");
  });
});
