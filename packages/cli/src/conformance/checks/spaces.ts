import { createSpaceAnswer, infoAnswer, membersAnswer, spacesAnswer } from "@landfall/protocol";
import { domain } from "../bench.js";
import { type Check, has, must, same } from "../check.js";
import { rejectedAs } from "../device.js";
import { unguessable } from "../stamps.js";
import { create } from "../written-ops.js";

const rule = "Other endpoints";

/** Spaces, members and what each role may do. */
export const spaceChecks: readonly Check[] = [
  {
    id: "spaces/create",
    rule,
    asks: "A space is made with an id of the caller's choice; it answers 201, and the caller is its owner and finds it among its own.",
    async run(bench) {
      const asked = unguessable("conformance");
      const made = await bench.first.get(createSpaceAnswer, 201, "/v1/spaces", { json: { space: asked } });
      bench.made(asked);
      has("the answer", made, { space: asked, role: "owner" });
      const { spaces } = await bench.first.get(spacesAnswer, 200, "/v1/spaces");
      has(
        "my spaces",
        spaces.filter(({ space }) => space === asked),
        [{ role: "owner", head: 0, generation: made.generation }],
      );
    },
  },
  {
    id: "spaces/create-unnamed",
    rule,
    asks: "Without an id the server makes one that cannot be guessed, another each time.",
    async run(bench) {
      const ids: string[] = [];
      for (let i = 0; i < 3; i++) {
        const { space } = await bench.first.get(createSpaceAnswer, 201, "/v1/spaces", { json: {} });
        bench.made(space);
        ids.push(space);
      }
      must(new Set(ids).size === 3, `the same id came twice: ${ids.join(", ")}`);
      must(
        ids.every((id) => new Set(id).size >= 6 && id.length >= 16),
        `ids as short or as plain as ${ids[0]} can be guessed`,
      );
    },
  },
  {
    id: "spaces/taken",
    rule,
    asks: "An id that is taken answers `not_available`, to its owner and to a stranger.",
    async run(bench) {
      const { space } = await bench.space();
      await bench.first.refused("not_available", "/v1/spaces", { json: { space } });
    },
  },
  {
    id: "spaces/taken-stranger",
    rule,
    asks: "A stranger who asks for an id that is taken hears `not_available`, and is not let in.",
    async run(bench) {
      const { space } = await bench.space();
      await bench.second.refused("not_available", "/v1/spaces", { json: { space } });
      await bench.second.refused("not_found", `/v1/spaces/${space}/members`);
    },
  },
  {
    id: "spaces/names",
    rule: "Shapes",
    asks: "An id that no URL can carry, or that is no identifier, is refused.",
    async run(bench) {
      for (const space of [
        "",
        ".",
        "..",
        "a/b",
        "a b",
        "é",
        "x".repeat(129),
        "__proto__",
        "constructor",
        7,
        null,
      ])
        await bench.first.refused("invalid_request", "/v1/spaces", { json: { space } });
    },
  },
  {
    id: "members/list",
    rule,
    asks: "The owner gives a user a role; both then see both members.",
    async run(bench) {
      const { space } = await bench.space();
      await bench.admit(space, bench.second.user, "writer");
      for (const caller of [bench.first, bench.second]) {
        const { members } = await caller.get(membersAnswer, 200, `/v1/spaces/${space}/members`);
        same(
          "the members",
          members.map(({ user, role }) => `${user} ${role}`).toSorted(),
          [`${bench.first.user} owner`, `${bench.second.user} writer`].toSorted(),
        );
      }
    },
  },
  {
    id: "members/writer",
    rule,
    asks: "A writer reads and writes, and manages no members.",
    async run(bench) {
      const owner = await bench.device();
      await bench.admit(owner.space, bench.second.user, "writer");
      const writer = bench.beside(owner, bench.nowMs, bench.second);
      await writer.apply(create("w"));
      has("what the owner sees", await owner.rows(domain), [{ key: "w" }]);
      const path = `/v1/spaces/${owner.space}/members/${encodeURIComponent(bench.first.user)}`;
      await bench.second.refused("forbidden", path, { method: "PUT", json: { role: "reader" } });
      await bench.second.refused("forbidden", path, { method: "DELETE" });
      await bench.second.refused("forbidden", `/v1/spaces/${owner.space}`, { method: "DELETE" });
    },
  },
  {
    id: "members/reader",
    rule,
    asks: "A reader reads; what it writes is rejected as `forbidden`, and its seq is used.",
    async run(bench) {
      const owner = await bench.device();
      await owner.apply(create("r"));
      await bench.admit(owner.space, bench.second.user, "reader");
      const reader = bench.beside(owner, bench.nowMs, bench.second);
      has("what the reader sees", await reader.rows(domain), [{ key: "r" }]);
      rejectedAs("forbidden", await reader.write(create("mine")));
      has("what is there afterwards", await reader.exchange({ cursors: { [domain]: 0 } }), {
        lastSeq: 1,
        rows: [{ key: "r" }],
      });
    },
  },
  {
    id: "members/removed",
    rule,
    asks: "Who was removed hears `revoked` from an exchange, and nothing of the space from any other address.",
    async run(bench) {
      const owner = await bench.device();
      await owner.apply(create("r"));
      await bench.admit(owner.space, bench.second.user, "writer");
      const writer = bench.beside(owner, bench.nowMs, bench.second);
      await writer.rows(domain);
      const path = `/v1/spaces/${owner.space}/members/${encodeURIComponent(bench.second.user)}`;
      must(
        (await bench.first.ask(path, { method: "DELETE" })).status === 200,
        "the owner cannot remove a member",
      );
      await writer.failing("revoked", { cursors: { [domain]: 0 }, events: [writer.event([create("late")])] });
      await bench.second.refused("not_found", `/v1/spaces/${owner.space}/rows?domain=${domain}`);
      const { spaces } = await bench.second.get(infoAnswer, 200, "/v1/info");
      must(!Object.hasOwn(spaces, owner.space), "the space is still among the spaces of who was removed");
      has("what is there", await owner.rows(domain), [{ key: "r" }]);
    },
  },
  {
    id: "members/leave",
    rule,
    asks: "A member may leave by itself.",
    async run(bench) {
      const { space } = await bench.space();
      await bench.admit(space, bench.second.user, "reader");
      const path = `/v1/spaces/${space}/members/${encodeURIComponent(bench.second.user)}`;
      must((await bench.second.ask(path, { method: "DELETE" })).status === 200, "a member cannot leave");
      await bench.second.refused("not_found", `/v1/spaces/${space}/members`);
    },
  },
  {
    id: "members/last-owner",
    rule,
    asks: "A space keeps an owner: the last can neither leave nor become less (`last_owner`).",
    async run(bench) {
      const { space } = await bench.space();
      const path = `/v1/spaces/${space}/members/${encodeURIComponent(bench.first.user)}`;
      await bench.first.refused("last_owner", path, { method: "DELETE" });
      await bench.first.refused("last_owner", path, { method: "PUT", json: { role: "writer" } });
    },
  },
  {
    id: "members/roles",
    rule,
    asks: "A role that there is not is refused.",
    async run(bench) {
      const { space } = await bench.space();
      const path = `/v1/spaces/${space}/members/someone`;
      for (const json of [{ role: "god" }, { role: 1 }, {}, { role: "writer", extra: 1 }])
        await bench.first.refused("invalid_request", path, { method: "PUT", json });
    },
  },
  {
    id: "wipe/generation",
    rule: "rule 12",
    asks: "A wiped space is empty under a new generation; who holds the old one hears `generation_changed`: why, from what, and up to which index the two agree.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      const head = await device.apply(create("b"));
      const before = device.generation;
      must(
        (await bench.first.ask(`/v1/spaces/${device.space}`, { method: "DELETE" })).status === 200,
        "the owner cannot wipe the space",
      );
      const error = await device.failing("generation_changed", { cursors: { [domain]: head } });
      has("the error", error, { reason: "wiped", parent: before });
      must(
        typeof error.at === "number" && error.at <= head,
        `\`at\` is ${error.at}, and the head was ${head}`,
      );
      must(
        error.generation !== undefined && error.generation !== before,
        "the generation is the same as before",
      );
      device.generation = error.generation;
      has("the new generation", await device.exchange({ cursors: { [domain]: 0 } }), {
        rows: [],
        lastSeq: 0,
      });
    },
  },
  {
    id: "wipe/seqs",
    rule: "rule 12",
    asks: "Seqs start anew with a generation, and events sent under the old one have no effect in the new one.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      await bench.first.ask(`/v1/spaces/${device.space}`, { method: "DELETE" });
      await device.failing("generation_changed", { events: [device.event([create("late")])] });
      device.generation = undefined;
      device.seq = 0;
      await device.apply(create("anew"));
      has("what is there", await device.rows(domain), [{ key: "anew" }]);
    },
  },
  {
    id: "offer/no-window",
    rule: "rule 12",
    asks: "A space that was not restored takes nothing back: an offer is rejected as `recovery_over`, and changes nothing.",
    async run(bench) {
      const device = await bench.device();
      const made = device.stamp();
      await device.apply(create("p", { a: 1 }));
      const at = { op: "offer", domain, key: "p" };
      rejectedAs(
        "recovery_over",
        await device.write({ ...at, set: { a: 2 }, stamps: { "*": made, a: device.stamp() } }),
      );
      rejectedAs("recovery_over", await device.write({ ...at, deletedAt: Math.floor(bench.nowMs()) }));
      rejectedAs("recovery_over", await device.write({ ...at, key: "q", set: {}, stamps: { "*": made } }));
      has("what is there", await device.rows(domain), [{ key: "p", version: 1, fields: { a: 1 } }]);
    },
  },
];
