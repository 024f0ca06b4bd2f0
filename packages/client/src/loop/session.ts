import type { ClockPort } from "@landfall/protocol";
import { claimsOf } from "../account.js";
import { RemoteError } from "../remote/port.js";
import { SyncError } from "./port.js";

/** Why a token is wanted: none was given yet, the one given expires, or the server refused it. */
export type CredentialsReason = "start" | "renew" | "refused";

/** Gives a bearer token, or null when nobody is signed in; a throw means that it could not be found out now. */
export type Credentials = (reason: CredentialsReason) => string | null | Promise<string | null>;

/** Holds the token, so that `credentials` is asked at start, before expiry and on 401 (DESIGN §8). */
export interface Session {
  /** The token given last, unless it was refused. */
  readonly token: string | undefined;
  /** When to ask again before the token expires, by `clock`; undefined when the token does not say. */
  readonly renewAtMs: number | undefined;
  /** Asks `credentials`; calls at the same time share one. */
  ask(): Promise<string | null>;
  /** Whoever asks just now gets no answer any more. @throws to them SyncError `signed-out` */
  giveUp(): void;
  /** The server said 401 to that token. */
  refuse(token: string): void;
  /** Somebody else may have signed in: the token is asked for anew. */
  forget(): void;
  /**
   * Runs a call with the token; asks for another once when the server refuses it.
   * @throws SyncError `signed-out`; what `run` throws.
   */
  authorized<T>(run: (token: string) => Promise<T>): Promise<T>;
}

/** A token that lives longer than this is renewed a minute before it ends, a short one after four fifths of its life. */
const renewEarlyMs = 60_000;

/** When a token expires, in milliseconds; undefined where it does not say. */
function expiryMs(token: string): number | undefined {
  const { exp } = claimsOf(token);
  return typeof exp === "number" ? exp * 1000 : undefined;
}

export function createSession(credentials: Credentials, clock: ClockPort): Session {
  let token: string | undefined;
  let renewAtMs: number | undefined;
  let refused = false;
  let asking: Promise<string | null> | undefined;
  let giveUp = (): void => undefined;
  const givenUp = (): Promise<never> =>
    new Promise((_, reject) => {
      giveUp = () =>
        reject(new SyncError("signed-out", "signOut() was called while credentials() was under way."));
    });
  const give = async (isWanted: () => boolean): Promise<string | null> => {
    const given: unknown = await credentials(refused ? "refused" : token === undefined ? "start" : "renew");
    // Anything else is no answer, and an app that forgot to give one would be asked for ever.
    if (given !== null && (typeof given !== "string" || given === ""))
      throw new TypeError(
        `credentials() gave ${given === "" ? "an empty text" : typeof given}. It is to give a token as a text, or null while nobody is signed in.`,
      );
    if (!isWanted()) return null;
    refused = false;
    token = given ?? undefined;
    const expiry = given === null ? undefined : expiryMs(given);
    renewAtMs = expiry && expiry - Math.min(renewEarlyMs, (expiry - clock.now()) / 5);
    return given;
  };
  const session: Session = {
    get token() {
      return token;
    },
    get renewAtMs() {
      return renewAtMs;
    },
    ask() {
      if (asking) return asking;
      const mine: Promise<string | null> = Promise.race([givenUp(), give(() => asking === mine)]).finally(
        () => asking === mine && (asking = undefined),
      );
      return (asking = mine);
    },
    giveUp() {
      asking = undefined;
      giveUp();
    },
    refuse(bad) {
      if (bad !== token) return;
      token = undefined;
      refused = true;
    },
    forget() {
      token = undefined;
      renewAtMs = undefined;
    },
    async authorized(run) {
      for (let last = false; ; last = true) {
        const mine = token ?? (await session.ask());
        if (mine === null) throw new SyncError("signed-out", "Nobody is signed in: credentials() gave null.");
        try {
          return await run(mine);
        } catch (error) {
          if (!(error instanceof RemoteError) || error.status !== 401) throw error;
          session.refuse(mine);
          if (last) throw error;
        }
      }
    },
  };
  return session;
}
