import { describe, expect, it } from "vitest";
import { EventQueue } from "../event-queue.js";
import { Program } from "../program.js";
import { RandomStream } from "../random-stream.js";
import { Trace } from "../trace.js";
import { Flight } from "./flight.js";
import { Line } from "./network.js";
import { type Weather, calm } from "./weather.js";

/** A server that answers in pieces, and does what is asked with the second of them. */
function ask(weather: Partial<Weather>, change: (line: Line) => void = () => undefined) {
  const queue = new EventQueue();
  const trace = new Trace(() => queue.nowMs, false);
  const [client, server] = [new Program("tab", queue, trace), new Program("server", queue, trace)];
  const seen = { done: 0, told: [] as string[], arrived: 0 };
  const pieces = async function* (): AsyncGenerator<string> {
    yield '{"type":"time"}\n';
    seen.done += 1;
    yield '{"type":"tail"}\n';
  };
  const line = new Line(
    {
      queue,
      trace,
      counts: new Map(),
      requests: 0,
      onlooker: {
        sent: () => undefined,
        answered: (_number, _server, _path, _status, text) => void seen.told.push(String(text)),
        arrived: () => void (seen.arrived += 1),
      },
      host: () => ({
        program: server,
        answer: () => Promise.resolve({ status: 200, headers: {}, body: pieces() }),
        connect: () => {
          throw new Error("There are no sockets here.");
        },
      }),
    },
    "line",
    new RandomStream("line"),
  );
  line.weather = { ...calm, ...weather };
  change(line);
  const outgoing = { url: "http://s/v1/exchange", method: "POST", headers: {}, body: "", signal: undefined };
  Flight.begin(line, client, outgoing).catch(() => undefined);
  return queue.drive(() => false).then(() => seen);
}

describe("an answer that nobody hears", () => {
  it("rule 2: has been made all the same: what was asked is done", async () => {
    const whole = ['{"type":"time"}\n', '{"type":"tail"}\n'];
    expect(await ask({})).toEqual({ done: 1, told: whole, arrived: 1 });
    expect(await ask({ dropAnswer: 1 })).toEqual({ done: 1, told: whole, arrived: 0 });
    const deaf = await ask({}, (line) => (line.blockedFromServer = true));
    expect(deaf).toEqual({ done: 1, told: whole, arrived: 0 });
    expect(await ask({ duplicate: 1 })).toMatchObject({ done: 2, arrived: 1 });
    expect(await ask({ dropRequest: 1 })).toEqual({ done: 0, told: [], arrived: 0 });
  });
});
