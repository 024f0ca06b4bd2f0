import { SyncError } from "@landfall/client";
import type { Engine } from "@landfall/server/engine-types";
import { randomIdentifier } from "@landfall/protocol";
import { act } from "./app.js";
import type { Device } from "./device.js";
import type { StorageFault } from "./history.js";
import { count } from "./network/network.js";
import type { Trouble } from "./plan.js";
import { isOfDisk } from "./server-machine.js";
import type { CrashTail } from "./storage/account-queue.js";
import type { ClientImage, PlacedEntry } from "./storage/client-disk.js";
import type { World } from "./world.js";

type Of<T extends Trouble["type"]> = Extract<Trouble, { readonly type: T }>;
type OnDevice = Extract<Trouble, { readonly device: number }>;

/** Begins a trouble of the plan, and sees to its end. */
export function makeTrouble(world: World, trouble: Trouble): void {
  count(world.counts, `trouble.${trouble.type}`);
  if (!("device" in trouble)) {
    world.trace.note("server", "trouble", JSON.stringify(trouble));
    atServer(world, trouble);
    return;
  }
  const device = world.devices.find(({ plan }) => plan.number === trouble.device);
  if (!device) return;
  world.trace.note(device.name, "trouble", JSON.stringify(trouble));
  onDevice(world, device, trouble);
}

function onDevice(world: World, device: Device, trouble: OnDevice): void {
  const { line, clock, disk } = device;
  const later = (run: () => void): void => {
    if ("forMs" in trouble) world.queue.after(trouble.forMs, run);
    else if ("downMs" in trouble) world.queue.after(trouble.downMs, run);
  };
  switch (trouble.type) {
    case "offline":
      line.turn(false);
      return later(() => line.turn(true));
    case "partition":
      line.blockedToServer ||= trouble.to;
      line.blockedFromServer ||= trouble.from;
      return later(() => (line.blockedToServer = line.blockedFromServer = false));
    case "clock":
      return trouble.stop ? clock.stop() : clock.set(trouble.offsetMs);
    case "crash":
      return crashTab(device, trouble, later);
    case "freeze": {
      const program = device.tabs[trouble.tab]?.program;
      program?.freeze();
      return later(() => program?.thaw());
    }
    case "sleep":
      device.sleepsForMs = trouble.forMs;
      return;
    case "closeTab":
      device.tabs[trouble.tab]?.kill("closed");
      return later(() => device.startTab(trouble.tab));
    case "power":
      return powerOff(world, device, trouble);
    case "appUpgrade":
      device.upgrade(trouble.left);
      return later(() => device.start());
    case "signOut":
      return signOut(world, device, trouble);
    case "torn":
      if (disk.isTorn) return;
      device.tearDisk();
      world.queue.after(trouble.downMs, () => device.start());
      return later(() => device.mendDisk());
    case "full":
      fill(world, device);
      return later(() => delete disk.options.maxBytes);
    case "evict":
      line.blockedFromServer ||= trouble.deafMs > 0;
      world.queue.after(trouble.deafMs, () => evict(world, device, trouble));
      return;
    case "older": {
      const image = disk.snapshot();
      return later(() => {
        if (!world.isTroubled) return;
        for (const tab of device.tabs) tab.kill("closed");
        tellLoss(world, device, { how: "older", gone: disk.restoreOlder(image), isSilent: true });
        world.queue.after(trouble.downMs, () => device.start());
      });
    }
    case "clone": {
      const copy = world.addDevice({ ...device.plan, number: trouble.copy, tabs: 1 }, disk.clone());
      copy.version = device.version;
      device.origin.copyNotesTo(copy.origin);
      copy.line.weather = line.weather;
      world.recorder.add({ type: "cloned", device: copy.name, from: device.name });
      return later(() => copy.start());
    }
  }
}

/** The disk takes nothing more: what is sent meanwhile may not be known to have been (rule 3). */
function fill(world: World, { name, disk }: Device): void {
  disk.options.maxBytes = 1;
  world.recorder.add({ type: "storageFault", device: name, how: "full", lostEvents: [], lostItems: [] });
}

function powerOff(world: World, device: Device, { atMs, keeps, unwrittenMs, downMs }: Of<"power">): void {
  const written = unwrittenMs > 0 ? device.disk.snapshot() : undefined;
  world.queue.after(unwrittenMs, () => {
    if (!world.isTroubled) return;
    const random = device.random.split(`power ${atMs}`);
    // Where what was confirmed is not there, nothing is that was asked for later.
    const tail: CrashTail = written ? {} : { keeps: () => random.chance(keeps) };
    for (const tab of device.tabs) tab.kill("crashed", tail);
    if (written)
      tellLoss(world, device, { how: "older", gone: device.disk.restoreOlder(written), isSilent: true });
    world.queue.after(downMs, () => device.start());
  });
}

function signOut(world: World, device: Device, trouble: Of<"signOut">): void {
  const { unsynced, writesMs, downMs, atMs } = trouble;
  const { disk } = device;
  const tab = device.tabs.find(({ program, spaces }) => program.alive && !program.frozen && spaces.size > 0);
  if (!tab || disk.isTorn) return;
  for (const other of device.tabs) if (other !== tab) other.kill("closed");
  // Refused unless nothing is unsynced: then there is nothing that it had leave to forget.
  const has = (entry: PlacedEntry): boolean => unsynced !== "block" || entry.table !== "outbox";
  disk.forgotten = (gone) =>
    tellLoss(world, device, { how: "signedOut", gone: gone.filter(has), isSilent: true });
  const set = { title: `leaving at ${atMs}` };
  const write = (): void =>
    void (
      tab.program.alive &&
      act(tab, world.plan.spaces[0] ?? "", { do: "edit", domain: "note", key: "leaving", set })
    );
  if (writesMs === 0) write();
  else if (writesMs !== undefined) tab.program.after(writesMs, "writes late", write);
  // From here on it may show nothing, which is no state that ever was.
  tab.leaving = true;
  tab.client.signOut({ unsynced }).then(
    () => {
      count(world.counts, `signOut.${unsynced}`);
      tab.kill("closed");
      world.queue.after(downMs, () => device.start());
    },
    (error: unknown) => {
      if (!tab.program.alive) return;
      tab.leaving = false;
      const isRefused = error instanceof SyncError && error.code === "unsynced" && unsynced === "block";
      if (isRefused) count(world.counts, "signOut.refused");
      else world.fault("somebody could not sign out", error);
      world.queue.after(downMs, () => device.start());
    },
  );
}

function evict(world: World, device: Device, { tables, notes, deafMs, downMs }: Of<"evict">): void {
  if (deafMs > 0) device.line.blockedFromServer = false;
  if (!world.isTroubled) return;
  for (const tab of device.tabs) tab.kill("closed");
  const gone = device.disk.evict(tables ? { tables } : {});
  const isSilent = !tables && notes;
  if (isSilent) device.origin.forgetNotes();
  for (const table of tables ?? []) count(world.counts, `gone.${table}`);
  tellLoss(world, device, { how: tables ? "partly" : "evicted", gone, isSilent });
  world.queue.after(downMs, () => device.start());
}

function crashTab(
  device: Device,
  { tab, inCalls, after }: Of<"crash">,
  later: (run: () => void) => void,
): void {
  const found = device.tabs[tab];
  if (found?.program.alive)
    found.crash = { leftCalls: inCalls, after, crash: () => later(() => device.startTab(tab)) };
}

/** What a disk has lost that it had promised to keep. */
function tellLoss(
  world: World,
  device: Device,
  {
    how,
    gone,
    isSilent,
  }: { readonly how: StorageFault["how"]; readonly gone: ClientImage; readonly isSilent: boolean },
): void {
  count(world.counts, `disk.${how}`);
  // What is of no space is the account's own.
  const ids = (table: string): string[] =>
    gone.filter((entry) => entry.table === table && entry.space !== "").map(({ a }) => a);
  world.recorder.add({
    type: "storageFault",
    device: device.name,
    how,
    lostEvents: ids("outbox"),
    lostItems: ids("inbox"),
    forgets: device.unknown(),
    ...(isSilent && { silent: true }),
  });
}

function atServer(world: World, trouble: Exclude<Trouble, OnDevice>): void {
  const { server, queue } = world;
  switch (trouble.type) {
    case "serverCrash":
      server.crash = {
        leftCalls: trouble.inCalls,
        after: trouble.after,
        crash: () => void queue.after(trouble.downMs, () => world.startServer()),
      };
      return;
    case "serverUpgrade":
      server.upgrade();
      return void queue.after(trouble.downMs, () => world.startServer());
    case "serverClock":
      return server.clock.set(trouble.offsetMs);
    case "serverDisk":
      server.refusal = { how: trouble.how, stallMs: trouble.stallMs, leftCalls: trouble.inCalls };
      return;
    case "restore": {
      const backup = server.disk.copy();
      queue.after(trouble.forMs, () => {
        if (!world.isTroubled) return;
        const generation = `restored-${randomIdentifier(server.random.split(`restore ${trouble.atMs}`).port())}`;
        server.replaceDisk(backup, generation.slice(0, 24));
        queue.after(trouble.downMs, () => world.startServer());
      });
      return;
    }
    case "wipe":
      return asOwner(world, trouble.space, "wiped", (engine, space) =>
        engine.wipeSpace({ id: "ann" }, space),
      );
    case "access": {
      const give = (role: "reader" | "writer"): void =>
        asOwner(world, trouble.space, `given to a ${role}`, (engine, space) =>
          engine.setMember({ id: "ann" }, space, "ben", role),
        );
      give("reader");
      return void queue.after(trouble.forMs, () => give("writer"));
    }
  }
}

/** The owner does something with a space, where there is a server just now. */
function asOwner(
  world: World,
  number: number,
  what: string,
  work: (engine: Engine, space: string) => Promise<unknown>,
): void {
  const space = world.plan.spaces[number];
  const { node } = world.server;
  if (space === undefined || !node?.program.alive) return;
  work(node.engine, space).catch((error: unknown) => {
    if (node.program.alive && !isOfDisk(error)) world.fault(`a space could not be ${what}`, error);
  });
}
