import { randomIdentifier } from "@landfall/protocol";
import type { Device } from "./device.js";
import type { StorageFault } from "./history.js";
import { count } from "./network/network.js";
import type { Trouble } from "./plan.js";
import type { ClientImage } from "./storage/client-disk.js";
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
    case "closeTab":
      device.tabs[trouble.tab]?.kill("closed");
      return later(() => device.startTab(trouble.tab));
    case "power": {
      const random = device.random.split(`power ${trouble.atMs}`);
      for (const tab of device.tabs) tab.kill("crashed", { keeps: () => random.chance(trouble.keeps) });
      return later(() => device.start());
    }
    case "full":
      disk.options.maxBytes = 1;
      return later(() => delete disk.options.maxBytes);
    case "evict": {
      for (const tab of device.tabs) tab.kill("closed");
      const gone = disk.evict(trouble.tables ? { tables: trouble.tables } : {});
      if (!trouble.tables && trouble.notes) device.origin.forgetNotes();
      tellLoss(world, device, trouble.tables ? "partly" : "evicted", gone);
      return later(() => device.start());
    }
    case "older": {
      const image = disk.snapshot();
      return later(() => {
        for (const tab of device.tabs) tab.kill("closed");
        tellLoss(world, device, "older", disk.restoreOlder(image));
        world.queue.after(trouble.downMs, () => device.start());
      });
    }
    case "clone": {
      const copy = world.addDevice({ ...device.plan, number: trouble.copy, tabs: 1 }, disk.clone());
      device.origin.copyNotesTo(copy.origin);
      copy.line.weather = line.weather;
      world.recorder.add({ type: "cloned", device: copy.name, from: device.name });
      return later(() => copy.start());
    }
  }
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
function tellLoss(world: World, device: Device, how: StorageFault["how"], gone: ClientImage): void {
  count(world.counts, `disk.${how}`);
  const ids = (table: string): string[] => gone.filter((entry) => entry.table === table).map(({ a }) => a);
  world.recorder.add({
    type: "storageFault",
    device: device.name,
    how,
    lostEvents: ids("outbox"),
    lostItems: ids("inbox"),
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
    case "serverClock":
      return server.clock.set(trouble.offsetMs);
    case "restore": {
      const backup = server.disk.copy();
      queue.after(trouble.forMs, () => {
        const generation = `restored-${randomIdentifier(server.random.split(`restore ${trouble.atMs}`).port())}`;
        server.replaceDisk(backup, generation.slice(0, 24));
        queue.after(trouble.downMs, () => world.startServer());
      });
      return;
    }
    case "wipe": {
      const space = world.plan.spaces[trouble.space];
      const { node } = server;
      if (space !== undefined && node?.program.alive)
        node.engine.wipeSpace({ id: "ann" }, space).catch((error: unknown) => {
          if (node.program.alive) world.fault("a space could not be wiped", error);
        });
      return;
    }
  }
}
