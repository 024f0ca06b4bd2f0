import { decode, infoAnswer, problemDecoder, protocolVersion, socketProtocol } from "@landfall/protocol";
import { WebSocket } from "ws";
import { describeLastBackup } from "./backup.js";
import { type Inspection, inspect } from "./inspect.js";
import { serverAddress } from "./server-address.js";

/** One check of `landfall doctor`. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly said: string;
  /** What to do about it. */
  readonly advice?: string;
}

const patienceMs = 10_000;
/** Beyond this a person should know; Landfall works with any clock. */
const skewWorthTellingMs = 30_000;

/** A backup that is older than this helps little. */
const oldBackupMs = 7 * 86_400_000;

class Doctor {
  readonly findings: Finding[] = [];
  constructor(
    readonly url: string,
    readonly token: string,
    readonly now: () => number,
  ) {}

  ok(check: string, said: string): true {
    this.findings.push({ check, ok: true, said });
    return true;
  }

  wrong(check: string, said: string, advice: string): false {
    this.findings.push({ check, ok: false, said, advice });
    return false;
  }

  get(path: string, token?: string): Promise<Response> {
    return fetch(this.url + path, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: "manual",
      signal: AbortSignal.timeout(patienceMs),
    });
  }

  async reach(): Promise<boolean> {
    try {
      const answer = await this.get("/healthz");
      if (answer.status === 200) return this.ok("reach", `${this.url} answers.`);
      // An app that mounts the server may pass on nothing but /v1.
      if (answer.status === 404 && (await this.get("/v1/info")).status === 401)
        return this.ok("reach", `${this.url} answers under /v1, and not at /healthz.`);
      if (answer.status >= 300 && answer.status < 400)
        return this.wrong(
          "reach",
          `${this.url} redirects to ${answer.headers.get("location")}.`,
          "Give the address that it redirects to: Landfall follows no redirects.",
        );
      return this.wrong(
        "reach",
        `${this.url}/healthz answers ${answer.status}.`,
        "Check that the address is a Landfall server's, without /v1, and that a proxy before it passes /healthz, /v1 and WebSockets.",
      );
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).message;
      return this.wrong(
        "reach",
        `${this.url} cannot be reached (${cause}).`,
        "Check that the server runs, the port, and what stands between: firewall, proxy, VPN.",
      );
    }
  }

  async strangers(): Promise<boolean> {
    const answer = await this.get("/v1/info");
    if (answer.status === 401) return this.ok("strangers", "Who has no token is turned away.");
    return this.wrong(
      "strangers",
      `/v1/info answers ${answer.status} without a token.`,
      "A proxy may answer in the server's place; only 401 is right here.",
    );
  }

  async signIn(): Promise<boolean> {
    const answer = await this.get("/v1/info", this.token);
    const body: unknown = await answer.json().catch(() => undefined);
    if (!answer.ok) {
      const problem = decode(problemDecoder, body);
      const why = problem.ok ? (problem.value.detail ?? problem.value.title) : `status ${answer.status}`;
      return this.wrong(
        "token",
        `The server refuses the token: ${why}`,
        answer.status === 401
          ? "Get a new token, made for this server: right secret or key, issuer, audience and time."
          : "See the server's log.",
      );
    }
    const info = decode(infoAnswer, body);
    if (!info.ok)
      return this.wrong(
        "token",
        `The answer of /v1/info cannot be read: ${info.message}.`,
        "Something else than a Landfall server may answer at this address.",
      );
    const { value } = info;
    this.ok(
      "token",
      `The token is good; you are ${value.user}, a member of ${Object.keys(value.spaces).length} space(s).`,
    );
    if (value.protocol === protocolVersion) this.ok("protocol", `Both speak protocol ${protocolVersion}.`);
    else
      this.wrong(
        "protocol",
        `The server speaks protocol ${value.protocol}, this command ${protocolVersion}.`,
        "Bring both to the same release.",
      );
    const skewMs = this.now() - value.time;
    if (Math.abs(skewMs) < skewWorthTellingMs)
      return this.ok("clock", "This machine's clock agrees with the server's.");
    return this.wrong(
      "clock",
      `This machine's clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? "ahead of" : "behind"} the server's.`,
      "Set both by NTP. Sync works all the same: Landfall corrects for it.",
    );
  }

  async data(storage: string): Promise<boolean> {
    let found: Inspection;
    try {
      found = await inspect({ storage });
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      return this.wrong("data", said, "landfall verify says more of a file that can be opened.");
    }
    const restored = found.spaces.filter(({ began }) => began.reason === "restored");
    this.ok(
      "data",
      `${found.file} can be read: ${found.spaces.length} space(s)${restored.length > 0 ? `, ${restored.length} of them restored from a backup` : ""}.`,
    );
    const said = describeLastBackup(found.lastBackup, this.now());
    if (found.lastBackup && this.now() - found.lastBackup.madeAt < oldBackupMs)
      return this.ok("backup", said);
    return this.wrong(
      "backup",
      said,
      `Make one each day, and keep it on another machine: landfall backup --storage ${storage} --to …`,
    );
  }

  socket(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = new WebSocket(`${this.url.replace(/^http/, "ws")}/v1/socket`, socketProtocol, {
        perMessageDeflate: false,
        handshakeTimeout: patienceMs,
      });
      const advice =
        "Let the proxy pass WebSocket upgrades of /v1/socket. Without sockets clients work, but see changes up to a minute late.";
      const timer = setTimeout(
        () => done(this.wrong("socket", "The socket opened, but no welcome came.", advice)),
        patienceMs,
      );
      const done = (ok: boolean): void => {
        clearTimeout(timer);
        socket.terminate();
        resolve(ok);
      };
      socket.on("open", () =>
        socket.send(JSON.stringify({ type: "hello", token: this.token, device: "landfall-doctor" })),
      );
      socket.on("message", (data) =>
        done(
          String(data).includes('"welcome"')
            ? this.ok("socket", "Pokes get through.")
            : this.wrong("socket", `The server said ${String(data).slice(0, 200)}.`, advice),
        ),
      );
      socket.on("error", (error) =>
        done(this.wrong("socket", `The socket cannot be opened: ${error.message}.`, advice)),
      );
      socket.on("close", (code, reason) =>
        done(this.wrong("socket", `The server closed the socket: ${code} ${String(reason)}`, advice)),
      );
    });
  }
}

/** `landfall doctor`: looks at a server as a client does, and says what is wrong and what to do about it. */
export async function doctor(options: {
  readonly url: string;
  readonly token: string;
  /** The data file, where it is on this machine. */
  readonly storage?: string;
  readonly now: () => number;
}): Promise<readonly Finding[]> {
  const checks = new Doctor(serverAddress(options.url), options.token, options.now);
  if ((await checks.reach()) && (await checks.strangers()) && (await checks.signIn())) await checks.socket();
  if (options.storage !== undefined) await checks.data(options.storage);
  return checks.findings;
}
