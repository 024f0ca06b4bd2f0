import { expect, test } from "vitest";
import { mergeSites, parseSites } from "./site-list.js";

test("what the server lists comes first, with the names that this device knows", () => {
  const known = [
    { id: "offline", name: "Made offline", role: "owner" },
    { id: "a", name: "Depot", role: "writer" },
  ] as const;
  const listed = [
    { id: "b", role: "reader" },
    { id: "a", role: "owner" },
  ] as const;
  expect(mergeSites(known, listed)).toEqual([
    { id: "b", name: "", role: "reader" },
    { id: "a", name: "Depot", role: "owner" },
    { id: "offline", name: "Made offline", role: "owner" },
  ]);
});

test("a list that cannot be read is an empty one", () => {
  const list = { last: "a", known: [{ id: "a", name: "Depot", role: "owner" }] };
  expect(parseSites(JSON.stringify(list))).toEqual(list);
  for (const text of [null, "", "{", "null", "[]", '{"known":7}']) expect(parseSites(text).known).toEqual([]);
});
