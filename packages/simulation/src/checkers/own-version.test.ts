import { describe, expect, it } from "vitest";
import { Tale, applied, rejected, space, stampOf, verdict, who } from "../history.fixture.js";

const create = stampOf(1_900_000, 1);
const change = stampOf(1_900_010, 1);
const pay = stampOf(1_900_020, 1);
const fields = { title: "A", body: "b", votes: 0, marks: ["m"] };

/** A note that the first version of the app has made, and what the second makes of it on a device and on the server. */
function tale({ isBrought = true } = {}): Tale {
  const told = new Tale();
  told.start("d1").write("d1", create, [{ op: "create", domain: "note", key: "n1", set: fields }]);
  told.commit(applied(1, create, "d1", 1));
  told.viewIn(1, "d1", told.stateAt(1));
  told.start("d2").viewIn(2, "d2", told.stateAt(1, 2), "opened");
  told.write("d1", change, [{ op: "update", domain: "note", key: "n1", set: { body: "c" } }]);
  told.viewIn(1, "d1", told.stateAt(1), "listener", { "note/n1": { ...fields, body: "c" } });
  const brought = { status: "applied", index: 2, modifiedAt: 2_000_020, deviceId: "server", seq: 0 };
  told.commit(...(isBrought ? [brought] : []));
  Object.assign(told.entries.at(-1) as object, { schema: 2 });
  if (!isBrought) return told;
  told.viewIn(2, "d2", told.stateAt(2, 2));
  told.commit(applied(3, change, "d1", 2));
  // The first cannot read what there is by now, and goes on showing its write as pending.
  told.viewIn(1, "d1", told.stateAt(1), "listener", { "note/n1": { ...fields, body: "c" } });
  return told.viewIn(2, "d2", told.stateAt(3, 2));
}

const said = (of: Tale, ...names: readonly string[]): string =>
  names.flatMap((name) => verdict(of.history(), name).map(({ message }) => message)).join("\n");

describe("§5.2: what apps of two versions show", () => {
  it("passes where each shows rows and pending writes as it has them, and the server has brought its own over", () => {
    const good = tale();
    const views = good.entries.filter(({ type }) => type === "view") as unknown as {
      readonly domains: { readonly note: readonly object[] };
    }[];
    const now = { text: "c", marks: ["#m"], $: { version: 3, modifiedAt: 2_000_030, pending: false } };
    expect(views.at(-1)?.domains.note).toMatchObject([now]);
    expect(said(good, "consistent-cut", "rebase", "convergence", "own-version", "session-order")).toBe("");
  });

  it("sees rows in the shape of the version before, and those that an app cannot read", () => {
    const raw = tale();
    raw.start("d3").viewIn(2, "d3", raw.stateAt(1), "opened");
    expect(said(raw, "consistent-cut")).toMatch(/note\/n1 is shown as .*"body":"b".*, and was .*"text":"b"/);
    const newer = tale();
    newer.viewIn(1, "d1", newer.stateAt(3));
    expect(said(newer, "consistent-cut")).toContain(
      "d1.a#1 shows of site what lies after every commit, before what it had shown, or beyond what its app can read",
    );
  });

  it("sees a pending write in the words of the version before", () => {
    const old = tale();
    const late = stampOf(1_900_040, 1);
    old.write("d1", late, [{ op: "update", domain: "note", key: "n1", set: { body: "d" } }]);
    old.add({ type: "ended", ...who("d1"), how: "closed" }).start("d1", [late], 2);
    const now = { title: "A", votes: 0, marks: ["#m"], text: "d" };
    old.viewIn(2, "d1", old.stateAt(3), "opened", { "note/n1": now }, 2);
    expect(said(old, "rebase")).toBe("");
    old.viewIn(2, "d1", old.stateAt(3), "listener", { "note/n1": { ...now, text: "c", body: "d" } }, 2);
    expect(said(old, "rebase")).toContain('note/n1 is {"body":"d",');
  });

  it("sees that a server has not brought its rows over", () => {
    expect(said(tale({ isBrought: false }), "convergence")).toContain("were not brought over");
  });

  it("sees that who cannot read what there is, is told to be in step", () => {
    const calm = tale();
    const [early, late] = [3, calm.entries.length];
    calm.add({ type: "synced", ...who("d1"), asked: early, schema: 1 });
    calm.add({ type: "synced", ...who("d2"), asked: late, schema: 2 });
    expect(said(calm, "own-version")).toBe("");
    calm.add({ type: "synced", ...who("d1"), asked: late, schema: 1 });
    expect(said(calm, "own-version")).toContain("d1.a#1 was told that it is in step");
  });
});

describe("§5.2: an inbox in the words of the app's own version", () => {
  /** What is said of an item in the second version, of a write that the first has made. */
  function item(of: object): string {
    const told = tale();
    told.act("d1", pay, "pay", { from: "p1", to: "p2", coins: 2 });
    told.commit(rejected(pay, "d1", 3, "missing"));
    return said(told.inbox("d1", [{ id: "i1", ...of }], 1, 2), "own-version");
  }
  const lost = { kind: "superseded", event: change, domain: "note", key: "n1" };
  const refused = { kind: "rejected", event: change, domain: "note", key: "n1" };
  const call = { kind: "rejected", event: pay };

  it("passes where field, value, fields and arguments are", () => {
    expect(item({ ...lost, field: "text", tried: "c" })).toBe("");
    expect(item({ ...refused, tried: { text: "c" } })).toBe("");
    expect(item({ ...call, tried: { from: "p1", to: "p2", cents: 200 } })).toBe("");
    expect(item({ kind: "lost", domain: "note", key: "n1", tried: { text: "c" } })).toBe("");
  });

  it("sees the name of a field, its value, fields and arguments as they were", () => {
    expect(item({ ...lost, field: "body", tried: "c" })).toContain("calls text of note body");
    expect(item({ ...lost, field: "text" })).toContain('says that nothing was tried, and that was "c"');
    expect(item({ ...refused, tried: { body: "c" } })).toContain('{"body":"c"} was tried');
    expect(item({ ...call, tried: { from: "p1", to: "p2", coins: 2 } })).toContain('"coins":2');
  });
});

describe("§5.2: records of the device's own", () => {
  const draft = (key: string, of: object): object => ({
    draft: [{ key, ...of, $: { version: 1, modifiedAt: 1, pending: false } }],
  });
  const wrote = (told: Tale, number: number, fieldsNow: object, schema = 1, run = 1): Tale =>
    told
      .add({
        type: "localWrite",
        ...who("d1", run),
        space,
        domain: "draft",
        key: "k",
        fields: fieldsNow,
        schema,
        number,
      })
      .add({ type: "localSaved", ...who("d1", run), number });
  /** What is said of a view after one draft of the first version, and a start of the second. */
  function shown(of: object, change: (told: Tale) => unknown = () => undefined, tab = "d1.a"): string {
    const told = new Tale();
    told.start("d1");
    wrote(told, 0, { text: "mine" });
    told.start("d1", [], 2);
    change(told);
    const view = { type: "view" as const, ...who("d1", 2), tab, space, why: "opened", schema: 2 };
    return said(told.add({ ...view, domains: of }), "own-version");
  }

  it("passes what was brought over once, and what was written since", () => {
    expect(shown(draft("k", { words: "mine." }))).toBe("");
    expect(shown(draft("k", { words: "new" }), (told) => wrote(told, 1, { words: "new" }, 2, 2))).toBe("");
  });

  it("sees one that was not brought over, or twice, or is older than what was saved, or is not there", () => {
    expect(shown(draft("k", { text: "mine" }))).toContain("nobody has written that on the device");
    expect(shown(draft("k", { words: "mine.." }))).toContain("nobody has written that on the device");
    const newer = (told: Tale): Tale => wrote(told, 1, { words: "new" }, 2, 2);
    expect(shown(draft("k", { words: "mine." }), newer)).toContain('after {"words":"new"} was written');
    expect(shown({ draft: [] })).toContain("does not show site draft/k, which was written");
  });

  it("does not count what a disk has lost, nor which of two tabs wrote later", () => {
    const fault = {
      type: "storageFault" as const,
      device: "d1",
      how: "older",
      lostEvents: [],
      lostItems: [],
    };
    expect(shown({ draft: [] }, (told) => told.add(fault))).toBe("");
    const other = (told: Tale): Tale => {
      told.add({ type: "started", ...who("d1"), tab: "d1.b", outbox: {} });
      return wrote(told, 1, { words: "new" }, 2, 2);
    };
    expect(shown(draft("k", { words: "mine." }), other)).toBe("");
  });
});
