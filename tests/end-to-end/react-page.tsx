import { type Client, type SpaceHandle, createClient, platformPorts } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import {
  type ActionProgress,
  LandfallProvider,
  useAction,
  useRecord,
  useRecords,
  useSpace,
  useSyncStatus,
} from "@landfall/react";
import { counter, defineSchema, records } from "@landfall/schema";
import { type ReactNode, memo, startTransition, useLayoutEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { z } from "zod";

const schema = defineSchema({
  version: 1,
  domains: {
    note: records({
      fields: z.object({ text: z.string(), list: z.string(), seen: z.number() }),
      merge: { seen: counter() },
      indexes: [["list"]],
    }),
  },
});
type Schema = typeof schema;

/** What the test reads and does; the page itself decides nothing. */
export interface ReactPage {
  readonly client: Client<Schema>;
  readonly space: SpaceHandle<Schema>;
  /** How often each component has rendered. */
  readonly renders: { [component: string]: number };
  /** Every text that was ever committed to the screen by two readers of the same records that differ. */
  readonly torn: string[];
  /** How often one of the two readers was committed. */
  readonly commits: () => number;
  readonly progress: () => ActionProgress<unknown>["state"];
  /** Calls the action hook's `run`. */
  readonly run: (text: unknown) => void;
  /** Renders the slow tree anew, without haste. */
  readonly disturb: () => void;
  /** Shows another space in the switcher. */
  readonly show: (space: string) => void;
  /** Resolves when the client has told its listeners everything, and all that they render is on the screen. */
  readonly atRest: () => Promise<void>;
}

const renders: { [component: string]: number } = {};
const torn: string[] = [];
let commits = 0;
/** What components hand out to the test. */
const handed: Partial<Pick<ReactPage, "run" | "disturb" | "show">> & {
  progress?: ActionProgress<unknown>["state"];
} = {};

function useHand(what: typeof handed): void {
  useLayoutEffect(() => void Object.assign(handed, what));
}

function rendered(component: string): void {
  renders[component] = (renders[component] ?? 0) + 1;
}

type Space = SpaceHandle<Schema>;

const List = memo(function List({ space }: { readonly space: Space }): ReactNode {
  rendered("list");
  // A new object at every render, as apps write it.
  const notes = useRecords(space.note, { where: { list: "a" }, orderBy: "text" });
  return (
    <ul>
      {notes.map(({ key }) => (
        <Item key={key} id={key} space={space} />
      ))}
    </ul>
  );
});

const Item = memo(function Item({ id, space }: { readonly id: string; readonly space: Space }): ReactNode {
  rendered(`item ${id}`);
  const note = useRecord(space.note, id);
  return <li>{note?.text}</li>;
});

function Pending(): ReactNode {
  rendered("pending");
  return <p id="pending">{useSyncStatus(({ pending }) => pending.count)}</p>;
}

function Writer({ space }: { readonly space: Space }): ReactNode {
  const [create, state] = useAction(space.note.create);
  useHand({ run: (text) => void create({ text: text as string, list: "c" }), progress: state.state });
  return null;
}

/** Takes long enough for the records to change while the tree around it is being rendered. */
function Slow(): ReactNode {
  const until = performance.now() + 4;
  while (performance.now() < until);
  return null;
}

function Reader({ id, space }: { readonly id: string; readonly space: Space }): ReactNode {
  const note = useRecord(space.note, "counted");
  // Everything of the commit is on the screen by now.
  useLayoutEffect(() => {
    commits += 1;
    const text = (id: string): string => document.getElementById(id)?.textContent ?? "";
    if (text("first") !== text("last")) torn.push(`${text("first")} and ${text("last")}`);
  });
  return <output id={id}>{note?.seen ?? "none"}</output>;
}

function Torn({ space }: { readonly space: Space }): ReactNode {
  const [round, setRound] = useState(0);
  useHand({ disturb: () => startTransition(() => setRound((n) => n + 1)) });
  // A new key makes all of it anew: readers that are only coming have not subscribed yet.
  return (
    <div key={round}>
      <Reader id="first" space={space} />
      {Array.from({ length: 10 }, (_, place) => (
        <Slow key={place} />
      ))}
      <Reader id="last" space={space} />
    </div>
  );
}

function Switcher({ client }: { readonly client: Client<Schema> }): ReactNode {
  const [id, setId] = useState<string>();
  useHand({ show: setId });
  const { state, space } = useSpace(client, id);
  const notes = useRecords(space?.note);
  return (
    <p id="switcher">
      {state} {notes.map(({ text }) => text).join(",")}
    </p>
  );
}

/** The platform's timers, and which of them are to go off soon: a client waits a moment before it tells its status. */
function watchedTimers() {
  const real = platformPorts().timers;
  const soon = new Set<object>();
  const after = (delayMs: number, run: () => void): (() => void) => {
    const timer = {};
    if (delayMs < 100) soon.add(timer);
    const cancel = real.after(delayMs, () => {
      soon.delete(timer);
      run();
    });
    return () => {
      soon.delete(timer);
      cancel();
    };
  };
  return { soon, timers: { after } };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));

async function start(): Promise<void> {
  const { soon, timers } = watchedTimers();
  const client = createClient({
    schema,
    url: location.origin,
    credentials: () => "dev:ann",
    storage: memoryStorage(),
    ports: {
      ...platformPorts(),
      timers,
      net: { fetch: () => Promise.reject(new TypeError("The page has no network.")) },
      locks: undefined,
      channel: undefined,
      notes: undefined,
    },
  });
  const space = await client.space("one").open();
  for (const [key, list] of [
    ["n1", "a"],
    ["n2", "a"],
    ["n3", "b"],
    ["counted", "b"],
  ] as const)
    space.note.create({ text: `Text of ${key}`, list }, { key });
  const other = await client.space("two").open();
  other.note.create({ text: "Elsewhere", list: "a" });
  createRoot(document.body.appendChild(document.createElement("div"))).render(
    <LandfallProvider client={client}>
      <List space={space} />
      <Pending />
      <Writer space={space} />
      <Torn space={space} />
      <Switcher client={client} />
    </LandfallProvider>,
  );
  const page: ReactPage = {
    client,
    space,
    renders,
    torn,
    commits: () => commits,
    progress: () => handed.progress ?? "idle",
    run: (text) => handed.run?.(text),
    disturb: () => handed.disturb?.(),
    show: (id) => handed.show?.(id),
    async atRest() {
      // What is done now may set the next timer, and what a timer has told is rendered by the next frame but one.
      for (let quiet = 0; quiet < 3; quiet = soon.size > 0 ? 0 : quiet + 1) await turn();
      await frame();
      await frame();
    },
  };
  Object.assign(globalThis, { page });
}

void start();
