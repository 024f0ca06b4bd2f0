import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Receipt, SettledOutcome } from "@landfall/client";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { limits } from "@landfall/protocol";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Device,
  type NoteSpace,
  type Place,
  bytesOf,
  makeProbe,
  openPlace,
  probe,
  probed,
  settle,
} from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** What becomes of the exchange with that number, counted from 1 among those that carry many events. */
type Fate = (send: () => Promise<Response>, number: number) => Promise<Response>;

interface Uploader {
  readonly device: Device;
  readonly site: NoteSpace;
  /** Exchanges with many events that began before the one before them had been answered. */
  overtakes(): number;
  /** How many exchanges carried many events. */
  uploads(): number;
  /** How many events those carried. */
  sent(): number;
  settled(): Promise<readonly SettledOutcome[]>;
  queue(count: number): Promise<void>;
  /** Syncs until all is settled, whatever the network does. */
  land(fate: Fate): Promise<void>;
}

const lost = (): never => {
  throw new TypeError("The network lost it.");
};

async function uploader(): Promise<Uploader> {
  let fate: Fate = (send) => send();
  let [asked, sent, underWay, overtakes] = [0, 0, 0, 0];
  let online = true;
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (!online) return lost();
    const send = (): Promise<Response> => place.server.handler(new Request(url, init));
    const events = [...String(init.body).matchAll(/"seq":/g)].length;
    if (events < 50) return send();
    if (underWay > 0) overtakes += 1;
    underWay += 1;
    sent += events;
    try {
      return await fate(send, ++asked);
    } finally {
      underWay -= 1;
    }
  };
  const device = place.device({ ports: { net: { fetch, webSocket: undefined } } });
  await makeProbe(device);
  const site = await device.open();
  await device.client.sync();
  const receipts: Pick<Receipt, "saved" | "settled">[] = [];
  return {
    device,
    site,
    overtakes: () => overtakes,
    uploads: () => asked,
    sent: () => sent,
    settled: () => Promise.all(receipts.map((receipt) => receipt.settled)),
    async queue(count) {
      online = false;
      for (let n = 0; n < count; n++) {
        receipts.push(
          n % 5 === 0
            ? probe(site, `n${n}`)
            : site.note.create({ text: `${n}`, votes: 0, marks: [] }, { key: `k${n}` }),
        );
      }
      await Promise.all(receipts.map((receipt) => receipt.saved));
    },
    async land(by) {
      fate = by;
      online = true;
      for (let tries = 0; tries < 60 && device.client.status.pending.count > 0; tries++)
        await device.client.sync().catch(() => undefined);
      expect(device.client.status.pending.count).toBe(0);
    },
  };
}

/** Everything that was queued is there once, for the one who wrote and for another. */
async function expectOnce({ device, site }: Uploader, count: number): Promise<void> {
  const reader = place.device({ user: "ann" });
  const theirs = await reader.open();
  await settle(device, reader);
  expect(bytesOf(theirs)).toBe(bytesOf(site));
  expect(probed(theirs).count).toBe(Math.ceil(count / 5));
  expect(probed(theirs).names.length).toBe(Math.ceil(count / 5));
  expect(site.note.all().length).toBe(2 + count - Math.ceil(count / 5));
  expect(device.reports).toEqual([]);
  expect(place.clashes).toEqual([]);
}

const statusOf = (outcome: SettledOutcome): string =>
  outcome.status === "duplicate" ? outcome.of : outcome.status;

describe("a long outbox", () => {
  it("goes two requests at a time, and each event is applied at the first", async () => {
    const writer = await uploader();
    await writer.queue(1_800);
    // They arrive in order, and none is answered before the next one has been asked, until all has been sent.
    let before: Promise<unknown> = Promise.resolve();
    await writer.land((send, number) => {
      const answer = before.then(async () => {
        while (writer.uploads() === number && writer.sent() < 1_800) await new Promise(setImmediate);
        return send();
      });
      before = answer;
      return answer;
    });
    expect(writer.overtakes()).toBe(writer.uploads() - 1);
    expect(new Set((await writer.settled()).map(({ status }) => status))).toEqual(new Set(["applied"]));
    await expectOnce(writer, 1_800);
  });

  it("what goes ahead after a long absence does not fetch all that others wrote a second time", async () => {
    const other = place.device({ user: "ann" });
    const writer = await uploader();
    const theirs = await other.open();
    for (let n = 0; n < 3_000; n++)
      theirs.note.create({ text: "theirs", votes: 0, marks: [] }, { key: `t${n}` });
    await other.client.sync();
    await writer.queue(1_200);
    let rows = 0;
    await writer.land(async (send) => {
      const answer = await send();
      const decoder = new TextDecoder();
      // Only what the client reads counts.
      const counted = new TransformStream<Uint8Array, Uint8Array>(
        {
          transform(piece, controller) {
            rows += decoder.decode(piece, { stream: true }).split('"theirs"').length - 1;
            controller.enqueue(piece);
          },
        },
        undefined,
        { highWaterMark: 0 },
      );
      return new Response(answer.body?.pipeThrough(counted), { headers: answer.headers });
    });
    expect(writer.overtakes()).toBeGreaterThan(0);
    expect(rows).toBeGreaterThan(2_900);
    expect(rows).toBeLessThan(3_000 + limits.defaultPageRows + 500);
    expect(writer.device.reports).toEqual([]);
  });

  const fates: { readonly [what: string]: () => Fate } = {
    "the second arrives before the first": () => {
      let second: () => void = () => undefined;
      const arrived = new Promise<void>((resolve) => (second = resolve));
      return async (send, number) => {
        if (number === 1) await arrived;
        if (number !== 2) return send();
        const answer = await send();
        second();
        return answer;
      };
    },
    "both arrive together": () => {
      let second: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => (second = resolve));
      return async (send, number) => {
        if (number === 1) await asked;
        else if (number === 2) second();
        return send();
      };
    },
    "the first is lost": () => (send, number) => (number === 1 ? Promise.reject(lost) : send()),
    "the answer of the first is lost": () => async (send, number) => {
      const answer = await send();
      return number === 1 ? lost() : answer;
    },
    "the answer of the second is lost": () => async (send, number) => {
      const answer = await send();
      return number === 2 ? lost() : answer;
    },
    "the second is lost": () => (send, number) => (number === 2 ? Promise.reject(lost) : send()),
  };
  it.each(Object.entries(fates))("rules 3 and 5: every write counts once where %s", async (_what, fate) => {
    const writer = await uploader();
    await writer.queue(1_200);
    await writer.land(fate());
    expect((await writer.settled()).map(statusOf)).toEqual(Array(1_200).fill("applied"));
    await expectOnce(writer, 1_200);
  });

  it("rule 5: what the first answer brings of the second request counts once, and the rest still goes ahead", async () => {
    const writer = await uploader();
    await writer.queue(1_800);
    let [asked, gone] = [(): void => undefined, (): void => undefined];
    const second = new Promise<void>((resolve) => (asked = resolve));
    const first = new Promise<void>((resolve) => (gone = resolve));
    // The server commits both at once, and what it reads for the first answer has the second's rows.
    await writer.land(async (send, number) => {
      if (number === 1) await second;
      if (number === 2) {
        asked();
        await first;
      }
      const answer = send();
      gone();
      return answer;
    });
    // Each request but the first begins with an event of the one before.
    expect(writer.sent()).toBe(1_800 + writer.uploads() - 1);
    await expectOnce(writer, 1_800);
  });

  it("rule 5: what others write in between is there, and the rest still goes ahead", async () => {
    const writer = await uploader();
    const other = place.device({ user: "ann" });
    const theirs = await other.open();
    await other.client.sync();
    await writer.queue(1_800);
    await writer.land(async (send, number) => {
      theirs.note.update("log", { text: `written before ${number}` });
      await other.client.sync();
      return send();
    });
    await other.client.sync();
    expect(writer.site.note.get("log")?.text).toBe(theirs.note.get("log")?.text);
    expect(writer.overtakes()).toBeGreaterThan(1);
    await expectOnce(writer, 1_800);
  });

  it("rule 9: where events of the first are rejected, those and no others are", async () => {
    const other = place.device({ user: "ann" });
    const writer = await uploader();
    const theirs = await other.open();
    for (const key of ["k1", "k2", "k77"])
      theirs.note.create({ text: "theirs", votes: 0, marks: [] }, { key });
    await other.client.sync();
    await writer.queue(1_200);
    await writer.land((send) => send());
    const refused = (await writer.settled()).flatMap((outcome, n) =>
      statusOf(outcome) === "rejected" ? [n] : [],
    );
    expect(refused).toEqual([1, 2, 77]);
    await expectOnce(writer, 1_200);
  });

  it("rule 5: where events of the first are rejected and others write as many, nothing of theirs is passed over", async () => {
    const other = place.device({ user: "ann" });
    const theirs = await other.open();
    theirs.note.create({ text: "", votes: 0, marks: [] }, { key: "gone" });
    await other.client.sync();
    const writer = await uploader();
    const { site, device } = writer;
    await other.client.sync();
    await writer.queue(0);
    for (let n = 0; n < 6; n++) site.note.update("gone", { text: `${n}` });
    const made = Array.from({ length: 1_200 }, (_, n) =>
      site.note.create({ text: "", votes: 0, marks: [] }, { key: `k${n}` }),
    );
    await Promise.all(made.map((receipt) => receipt.saved));
    // With the delete that is five events less than the writer expects, and then five more of somebody else's.
    theirs.note.delete("gone");
    await other.client.sync();
    let [asked, answered] = [(): void => undefined, (): void => undefined];
    const second = new Promise<void>((resolve) => (asked = resolve));
    const first = new Promise<void>((resolve) => (answered = resolve));
    await writer.land(async (send, number) => {
      if (number === 1) await second;
      if (number === 2) {
        asked();
        await first;
        for (let n = 0; n < 5; n++) theirs.note.update("log", { text: `${n}` });
        await other.client.sync();
      }
      const answer = await send();
      answered();
      return answer;
    });
    expect(site.note.get("log")?.text).toBe("4");
    await settle(device, other);
    expect(bytesOf(theirs)).toBe(bytesOf(site));
    expect(device.reports).toEqual([]);
  });

  it("rules 3 and 7: what follows the events of a cloned installation waits until those are known", async () => {
    const folder = mkdtempSync(join(tmpdir(), "landfall-"));
    try {
      const installed = (name: string): Device =>
        place.device({ online: false, storage: sqliteStorage(join(folder, name, "app.db")) });
      const first = installed("one");
      first.online();
      await first.open();
      await first.client.sync();
      await first.client.close();
      cpSync(join(folder, "one"), join(folder, "two"), { recursive: true });
      const [original, copy] = [installed("one"), installed("two")];
      const [site, copied] = [await original.open(), await copy.open()];
      const size = limits.maxEventsPerRequest;
      // The copy is as far as the original's first request will bring it.
      for (let n = 0; n < size; n++)
        copied.note.create({ text: "", votes: 0, marks: [] }, { key: `copy${n}` });
      copy.online();
      await copy.client.sync();
      for (let n = 0; n < size; n++) site.note.create({ text: "", votes: 0, marks: [] }, { key: `k${n}` });
      const updates = Array.from({ length: size - 1 }, (_, n) =>
        site.note.update(`k${n}`, { text: "updated" }),
      );
      await Promise.all(updates.map((receipt) => receipt.saved));
      original.online();
      await original.client.sync();
      const outcomes = await Promise.all(updates.map((receipt) => receipt.settled));
      expect(new Set(outcomes.map(statusOf))).toEqual(new Set(["applied"]));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("rules 3 and 5: every write counts once, whatever the network does", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("ok", "slow", "lost", "deaf"), { minLength: 4, maxLength: 10 }),
        async (weather) => {
          await place.close();
          place = openPlace();
          const writer = await uploader();
          await writer.queue(700);
          await writer.land(async (send, number) => {
            const kind = weather[number - 1] ?? "ok";
            if (kind === "slow") await new Promise((resolve) => setTimeout(resolve, 15));
            if (kind === "lost") return lost();
            const answer = await send();
            return kind === "deaf" ? lost() : answer;
          });
          expect((await writer.settled()).map(statusOf)).toEqual(Array(700).fill("applied"));
          await expectOnce(writer, 700);
        },
      ),
      { numRuns: 12 },
    );
  });
});
