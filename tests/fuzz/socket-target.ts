import { decodeText, serverMessage, socketCloseCodes } from "@landfall/protocol";
import type { Random } from "@landfall/protocol/shaped-values.fixture";
import { fuzzedServer } from "./fuzzed-server.js";
import { mutateText, mutateValue, textOf } from "./mutate.js";
import { Seqs, shaped, spaces } from "./server-inputs.js";
import { type Fate, type FuzzTarget, fault } from "./target.js";

const codes = new Set<number>(Object.values(socketCloseCodes));

/** A message of a client, right or damaged. */
function message(random: Random, seqs: Seqs, first: boolean): string {
  const breaking = random.pick([0, 0, 0.05]);
  const kind = first && random.below(10) > 0 ? "hello" : random.pick(["watch", "auth", "exchange", "hello"]);
  let value: unknown;
  if (kind === "hello")
    value = {
      type: "hello",
      token: random.pick(["dev:ann", "dev:bob", "dev:ann", "x"]),
      device: random.pick(["d1", "d2"]),
    };
  else if (kind === "watch")
    value = {
      type: "watch",
      spaces: { [random.pick(spaces)]: ["a", "project"], [random.pick(spaces)]: ["a"] },
    };
  else if (kind === "auth")
    value = { ...shaped("socketAuth", random, breaking), token: random.pick(["dev:ann", "dev:bob", ""]) };
  else
    value = {
      type: "exchange",
      id: random.below(5),
      token: random.pick(["dev:ann", "dev:bob", "x"]),
      request: seqs.request(random, breaking),
    };
  if (random.below(4) === 0) value = mutateValue(value, random);
  const text = textOf(value);
  return random.below(12) === 0 ? mutateText(text, random) : text;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The server's end of sockets, in this process. */
export const socketTarget: FuzzTarget = {
  name: "socket",
  share: 8,
  async open() {
    const fuzzed = await fuzzedServer();
    const seqs = new Seqs();
    const feed = async (random: Random): Promise<Fate> => {
      const said: string[] = [];
      const wrong: string[] = [];
      const state = { closed: false };
      let heard = 0;
      const end = fuzzed.server.connect({
        bufferedAmount: 0,
        send(text) {
          heard += 1;
          const decoded = decodeText(serverMessage, text);
          if (!decoded.ok || decoded.value === undefined) wrong.push(`said ${text.slice(0, 300)}`);
          else if (decoded.value.type === "answer") learn(seqs, said, decoded.value);
        },
        ping: () => undefined,
        close(code, reason) {
          state.closed = true;
          if (!codes.has(code) || code === socketCloseCodes.goingAway || Buffer.byteLength(reason) > 123)
            wrong.push(`closed with ${code} ${reason}`);
        },
        terminate: () => undefined,
      });
      for (let i = 0; i < 1 + random.below(5) && !state.closed; i++) {
        const text = message(random, seqs, i === 0);
        said.push(text);
        end.message(text);
        // Until what it answers has come: the next message stands on it.
        for (let turns = 0, before = -1; before !== heard || turns < 3; turns++) {
          before = heard;
          await turn();
        }
      }
      end.gone();
      await turn();
      const [found] = fuzzed.faults.splice(0);
      if (found !== undefined) wrong.push(`logged ${JSON.stringify(found)}`);
      if (wrong.length > 0) throw fault(`the server ${wrong.join(", ")}`, said.join("\n"));
      if (await fuzzed.counted()) seqs.forget();
      return state.closed ? "refused" : "taken";
    };
    return { feed, close: () => fuzzed.server.close() };
  },
};

function learn(seqs: Seqs, said: readonly string[], answer: { readonly lines?: readonly object[] }): void {
  try {
    const { request } = JSON.parse(said.at(-1) ?? "") as { request?: { device?: unknown } };
    seqs.learn(request?.device, answer.lines ?? []);
  } catch {
    // The answer of an earlier one, which was sound.
  }
}
