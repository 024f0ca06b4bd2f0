import { expect, test } from "vitest";
import type { PokeListener } from "../remote/port.js";
import { PokeLine } from "./poke-line.js";

const channel = { watch: () => undefined, auth: () => undefined, close: () => undefined };

/** A line, what its socket says, and whether the server was doubted each time that it was lost. */
function world() {
  const state = { now: 0, doubts: [] as boolean[] };
  let listener: PokeListener | undefined;
  const line = new PokeLine({
    connect: (given) => {
      listener = given;
      return channel;
    },
    now: () => state.now,
    chance: () => 0.5,
    changed: (_turned, doubtful) => void (line.open || state.doubts.push(doubtful)),
    message: () => undefined,
    unauthorized: () => undefined,
  });
  const connect = (): void => {
    state.now += 600_000;
    line.upkeep();
  };
  return {
    state,
    connect,
    open: () => listener?.open(),
    lose: (silent: boolean) => listener?.closed({ unauthorized: false, silent, message: "lost" }),
  };
}

test("where a socket is taken and never welcomed, the server is not doubted again and again", () => {
  const { state, connect, lose } = world();
  for (let i = 0; i < 5; i++) {
    connect();
    lose(true);
  }
  expect(state.doubts).toEqual([false, false, false, false, false]);
});

test("the server is doubted once when an open socket falls silent, or the first try to have it again is in vain", () => {
  const { state, connect, open, lose } = world();
  for (const silent of [true, false]) {
    connect();
    open();
    lose(silent);
    connect();
    lose(true);
    connect();
    lose(true);
  }
  expect(state.doubts).toEqual([true, false, false, false, true, false]);
});
