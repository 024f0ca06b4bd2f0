import type { InboxItem } from "@landfall/client";
import { describe, expect, test } from "vitest";
import { type SiteLookup, inboxCard, recordUnder, valueWords } from "./inbox-words.js";

const records: { readonly [id: string]: { readonly [field: string]: unknown } | undefined } = {
  "project/p1": { number: "7", name: "Quay wall", status: "open" },
  "controlpoint/c1": { title: "Anchor bolts", check: { result: "ok", by: "bob", at: 20 } },
};

const site: SiteLookup = {
  nameOf: (domain, key) => {
    const record = records[`${domain}/${key}`];
    return record && String(record["name"] ?? record["title"]);
  },
  fieldOf: (domain, key, field) => records[`${domain}/${key}`]?.[field],
  below: (project) => (project === "p9" ? 2 : 0),
  time: (at) => `t${at}`,
  person: (user) => user.toUpperCase(),
};

const item = (change: Partial<InboxItem>): InboxItem => ({
  id: "i",
  kind: "rejected",
  madeAt: 5,
  reason: "Because.",
  choices: ["retry", "keepCopy", "dismiss"],
  ...change,
});
const event = (op: object): NonNullable<InboxItem["event"]> =>
  ({ id: "e", madeAt: 5, ops: [op] }) as NonNullable<InboxItem["event"]>;

describe("a field that lost", () => {
  const lost = item({
    kind: "superseded",
    domain: "project",
    key: "p1",
    field: "name",
    tried: "Quay wall, east",
    won: "Older",
    choices: ["writeAgain", "dismiss"],
    event: event({ op: "update", domain: "project", key: "p1", set: { name: "Quay wall, east" } }),
  });

  test("shows mine beside what stands now, not what stood when it lost", () => {
    expect(inboxCard(lost, site)).toMatchObject({
      about: "Project “Quay wall”",
      did: "You changed it, t5",
      tried: [{ label: "Name", value: "Quay wall, east" }],
      stands: [{ label: "Name", value: "Quay wall" }],
      choices: [
        { choice: "writeAgain", label: "Write mine again" },
        { choice: "dismiss", label: "Dismiss" },
      ],
    });
  });

  test("says that the record is gone", () => {
    const card = inboxCard({ ...lost, key: "p9" }, site);
    expect(card.headline).toContain("deleted");
    expect(card.stands).toEqual([]);
  });
});

describe("a refused write", () => {
  test("with a number that is taken asks for another, and offers no copy of it", () => {
    const card = inboxCard(
      item({
        code: "not_unique",
        domain: "project",
        key: "p9",
        tried: { number: "7", name: "Pier" },
        event: event({ op: "create", domain: "project", key: "p9", set: {} }),
      }),
      site,
    );
    expect(card).toMatchObject({
      about: "Project “Pier”",
      did: "You added it, t5",
      needsNumber: true,
      stands: [],
      explanation: expect.stringContaining("2 records"),
    });
    expect(card.choices.map(({ choice }) => choice)).toEqual(["retry", "dismiss"]);
  });

  test("shows what stands where the record is still there and differs", () => {
    const tried = { check: { result: "failed", by: "ann", at: 10 } };
    const card = inboxCard(item({ code: "forbidden", domain: "controlpoint", key: "c1", tried }), site);
    expect(card.tried).toEqual([{ label: "Check", value: "Not OK (ANN, t10)" }]);
    expect(card.stands).toEqual([{ label: "Check", value: "OK (BOB, t20)" }]);
  });

  test("with a code of the app's own says the server's reason", () => {
    expect(inboxCard(item({ code: "site_closed", domain: "project", key: "p1" }), site)).toMatchObject({
      headline: "The server refused this change.",
      explanation: "Because.",
    });
  });

  test("of an action names what the action was about", () => {
    const refused = item({
      code: "missing",
      tried: { id: "p1" },
      event: { id: "e", madeAt: 5, action: "closeProject", args: { id: "p1" } },
      choices: ["retry", "dismiss"],
    });
    expect(inboxCard(refused, site)).toMatchObject({
      about: "Closing project “Quay wall”",
      did: "You closed it, t5",
    });
  });
});

test("values read as words", () => {
  expect(valueWords("place", undefined, site)).toBe("empty");
  expect(valueWords("check", undefined, site)).toBe("Not checked");
  expect(valueWords("tags", ["a", "b"], site)).toBe("a, b");
  expect(valueWords("severity", "major", site)).toBe("Major");
  expect(valueWords("pointId", "c1", site)).toBe("Anchor bolts");
  expect(valueWords("pointId", "c9", site)).toBe("a control point that is gone");
  expect(valueWords("closed", { by: "ann", at: 3 }, site)).toBe("Yes (ANN, t3)");
});

describe("an edit of a record that was deleted", () => {
  const edit = (projectId: string): InboxItem =>
    item({
      code: "deleted",
      domain: "controlpoint",
      key: "c9",
      tried: { check: { result: "ok", by: "ann", at: 1 } },
      before: { projectId, title: "Handrail" },
    });

  test("is called as it was, and can be kept as a copy while its project is there", () => {
    const card = inboxCard(edit("p1"), site);
    expect(card.about).toBe("Control point “Handrail”");
    expect(card.choices.map(({ choice }) => choice)).toEqual(["retry", "keepCopy", "dismiss"]);
  });

  test("under a project that is gone is offered another, and no copy or second try", () => {
    const card = inboxCard(edit("p9"), site);
    expect(card).toMatchObject({
      goneProject: "p9",
      headline: "Its project was deleted before your change arrived.",
      explanation: expect.stringContaining("another project") as string,
    });
    expect(card.choices.map(({ choice }) => choice)).toEqual(["dismiss"]);
    expect(inboxCard(edit("p1"), site).goneProject).toBeUndefined();
  });

  test("is put whole under another project, without a control point that stayed behind", () => {
    const lost = { ...edit("p9"), before: { projectId: "p9", pointId: "c1", title: "Handrail" } };
    expect(recordUnder(lost, "p1", site)).toEqual({
      projectId: "p1",
      title: "Handrail",
      check: { result: "ok", by: "ann", at: 1 },
    });
  });
});
