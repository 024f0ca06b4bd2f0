import { defineSchema, records } from "@landfall/schema";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createClient } from "./client.js";
import { platformPorts } from "./platform.js";
import { memoryStorage } from "./storage/memory.js";

const schema = defineSchema({ version: 1, domains: { note: records({ fields: z.object({}) }) } });
const sound = {
  schema,
  url: "http://127.0.0.1:9",
  credentials: () => null,
  storage: memoryStorage(),
};

/** Makes a client as JavaScript may, with nothing checked before. */
const make = (more: object) => () => createClient({ ...sound, ...more });

describe("the options of a client", () => {
  it("are taken where they are sound, left out or undefined", async () => {
    const whole = {
      account: "ann",
      name: "app",
      firstSync: "server",
      onReport: () => undefined,
      remote: undefined,
      ports: platformPorts(),
    };
    await make({})().close();
    await make(whole)().close();
    await make({ url: "HTTPS://sync.example.org/base/" })().close();
  });

  it("are refused where one is misspelt, with those that there are", () => {
    expect(make({ storag: memoryStorage() })).toThrow(
      'no option "storag". Known are: schema, url, credentials, account, storage,',
    );
    expect(make({ credential: () => null })).toThrow('no option "credential"');
    expect(make({ toString: () => "" })).toThrow('no option "toString"');
  });

  it.each([
    [{ schema: undefined }, "schema to be what defineSchema gives, and was given undefined"],
    [{ schema: { version: 1, domains: {} } }, "schema to be what defineSchema gives, and was given object"],
    [{ url: undefined }, "url to be an address such as https://"],
    [{ url: "sync.example.org" }, 'and was given "sync.example.org"'],
    [{ url: "ws://sync.example.org" }, "url to be an address such as https://"],
    [{ url: "https://sync.example.org/v1/" }, 'without /v1, and was given "https://sync.example.org/v1/"'],
    [{ url: new URL("http://a.example") }, "url to be"],
    [{ credentials: "dev:ann" }, "credentials to be a function, and was given string."],
    [{ credentials: undefined }, "credentials to be a function"],
    [{ account: "" }, "account to be"],
    [{ account: null }, "account to be"],
    [{ storage: memoryStorage }, "storage to be what"],
    [{ storage: null }, "storage to be what"],
    [{ name: 7 }, "name to be"],
    [{ firstSync: "merged" }, "firstSync to be merge, server or local"],
    [{ onReport: "warn" }, "onReport to be"],
    [{ remote: {} }, "remote to be"],
    [{ ports: { clock: Date } }, "ports to be what platformPorts() gives"],
    [{ hash: "sha256" }, "hash to be"],
  ])("are refused where one is of another kind: %o", (more, message) => {
    expect(make(more)).toThrow(message);
  });
});
