import { describe, expect, it } from "vitest";
import { Tale, applied, rejected, space, stampOf, verdict } from "../history.fixture.js";

const [first, second, third] = [stampOf(1_900_001, 1), stampOf(1_900_002, 1), stampOf(1_900_003, 1)];
const write = { op: "create", domain: "folder", set: { name: "F" } } as const;

/** `d1` writes three times. @param role what its user is from the first write on. */
function given(role?: string): Tale {
  const tale = new Tale().start("d1");
  for (const [at, event] of [first, second, third].entries())
    tale.write("d1", event, [{ ...write, key: `f${at + 1}` }]);
  tale.commit(applied(1, first, "d1", 1));
  return tale.add({ type: "member", space, user: "user-d1", ...(role !== undefined && { role }) });
}
const texts = (tale: Tale): string[] => verdict(tale.history(), "access").map(({ message }) => message);

describe("§6: roles", () => {
  it("lets writers and owners write, and nobody else", () => {
    for (const role of ["owner", "writer"])
      expect(texts(given(role).commit(applied(2, second, "d1", 2)))).toEqual([]);
    expect(texts(given("reader").commit(applied(2, second, "d1", 2)))).toEqual([
      `${space}: ${second} by d1 of user-d1, reader, was applied`,
    ]);
    expect(texts(given().commit(applied(2, second, "d1", 2)))).toEqual([
      `${space}: ${second} by d1 of user-d1, no member, was applied`,
    ]);
  });

  it("lets readers be refused, until they may write again", () => {
    const tale = given("reader").commit(rejected(second, "d1", 2, "forbidden"));
    expect(texts(tale)).toEqual([]);
    tale.add({ type: "member", space, user: "user-d1", role: "writer" });
    tale.commit(rejected(third, "d1", 3, "forbidden"));
    expect(texts(tale)).toEqual([`${space}: ${third} by d1 of user-d1, writer, was forbidden`]);
  });

  it("is not judged by roles that a backup may have turned back", () => {
    const tale = given("reader").add({
      type: "generation",
      space,
      generation: "g2",
      parent: "g1",
      reason: "restored",
      forkedAt: 1,
    });
    tale.add({ type: "commit", space, generation: "g2", decided: [applied(2, second, "d1", 1)] });
    expect(texts(tale)).toEqual([]);
  });
});
