import type { Row } from "@landfall/protocol";
import { expect, test } from "vitest";
import type { Cut } from "../replica/cut.js";
import type { PendingEvent } from "../replica/pending-event.js";
import { settle } from "./settlement.js";

const id = "01a1fc15-fa63-7000-bf49-fa2e95d831ef";
const update: PendingEvent = {
  id,
  seq: 1,
  madeAt: 5,
  ops: [{ op: "update", domain: "project", key: "p1", set: { name: "Mine" } }],
};
const cut: Cut = {
  generation: "g",
  lastSeq: 1,
  cursors: {},
  reset: [],
  rows: new Map(),
  digests: {},
  outcomes: new Map([[id, { id, seq: 1, status: "rejected", code: "deleted", message: "Gone." }]]),
};
const outbox = { sent: [update], unsent: [], hasOpenExpectations: false, get: () => undefined };
const gone: Row = { domain: "project", key: "p1", version: 3, modifiedAt: 3, deleted: true };
const live: Row = {
  domain: "project",
  key: "p1",
  version: 2,
  modifiedAt: 2,
  fields: { name: "Theirs", number: "7" },
  stamps: { "*": id },
};

test("rule 9: an update that met a deletion keeps the whole record, so that a copy of it can stand", () => {
  const [item] = settle(
    cut,
    outbox,
    () => gone,
    () => live,
  ).items;
  expect(item).toMatchObject({
    tried: { name: "Mine" },
    before: { name: "Theirs", number: "7" },
    choices: ["retry", "keepCopy", "dismiss"],
  });
});

test("rule 9: what is known of a record in part only is not offered as a copy", () => {
  const [item] = settle(
    cut,
    outbox,
    () => gone,
    () => gone,
  ).items;
  expect(item).toMatchObject({ tried: { name: "Mine" }, choices: ["retry", "dismiss"] });
  expect(item).not.toHaveProperty("before");
});
