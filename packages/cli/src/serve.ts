import { createServer, devTokens, jwks, jwt, sqlite } from "@landfall/server";
import { CommandError } from "./command-error.js";
import { sqliteFile } from "./storage-address.js";
import type { Terminal } from "./terminal.js";

/** How long what only absent devices need is kept, in days. */
interface Keeping {
  readonly keepDeletes: number;
  readonly keepOutcomes: number;
  readonly recoverFor: number;
}

const dayMs = 86_400_000;
const keeping = ({ keepDeletes, keepOutcomes, recoverFor }: Keeping) => ({
  retention: { tombstonesMs: keepDeletes * dayMs, outcomesMs: keepOutcomes * dayMs },
  recoveryMs: recoverFor * dayMs,
});

export interface DevOptions extends Keeping {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly maxSocketsPerAddress: number;
}

export interface ServeOptions extends Keeping {
  readonly port: number;
  readonly host: string;
  readonly storage: string;
  readonly jwtSecret?: string;
  readonly allowUnexpiring?: true;
  readonly jwks?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly maxSocketsPerAddress: number;
}

type Server = ReturnType<typeof createServer>;

interface Address {
  readonly port: number;
  readonly host: string;
}

/** What listening failed of, in words. */
function listenError(error: unknown, { port, host }: Address): unknown {
  const { code } = error as { code?: string };
  if (code === "EADDRINUSE")
    return new CommandError(
      `Port ${port} is in use by another program. Stop that one, or choose another with --port.`,
    );
  if (code === "EACCES")
    return new CommandError(
      `Port ${port} needs more rights than this user has. Choose one from 1024 with --port.`,
    );
  if (code !== undefined)
    return new CommandError(
      `Nothing can listen on ${host} (${code}). Give an address of this machine with --host: 127.0.0.1 for itself alone, 0.0.0.0 for all.`,
    );
  return error;
}

async function run(
  server: Server,
  options: Address,
  terminal: Terminal,
  started: (url: string) => readonly string[],
): Promise<void> {
  let listening: { readonly url: string; close(): Promise<void> };
  try {
    listening = await server.listen(options.port, options.host);
  } catch (error) {
    await server.close();
    throw listenError(error, options);
  }
  for (const line of started(listening.url)) terminal.print(line);
  await terminal.stop;
  terminal.print("Stopping: finishing what is running, then closing the data.");
  await server.close();
  terminal.print("Stopped.");
}

/** Makes a part of a server; what it says of what it was given is for the person. */
function made<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error));
  }
}

/** `landfall dev`: no configuration, no schema, anybody signs in as `dev:<user>` (DESIGN §15). */
export async function dev(options: DevOptions, terminal: Terminal): Promise<void> {
  const file = `${options.data}/landfall.db`;
  const { maxSocketsPerAddress } = options;
  const server = createServer({
    storage: made(() => sqlite(file)),
    auth: devTokens(),
    development: true,
    sockets: { maxSocketsPerAddress },
    ...keeping(options),
  });
  await run(server, options, terminal, (url) => [
    `Landfall is listening on ${url} (data in ${file}). Ctrl-C stops it.`,
    "",
    "Anybody signs in with the token dev:<user>. Try:",
    `  curl -s ${url}/v1/spaces -X POST -H 'authorization: Bearer dev:ann' -H 'content-type: application/json' -d '{"space":"site-7"}'`,
    `  curl -s '${url}/v1/spaces/site-7/rows?domain=project' -H 'authorization: Bearer dev:ann'`,
    `  landfall doctor --url ${url} --token dev:ann`,
    "",
    "These tokens are for this machine only. For people, use: landfall serve --help",
  ]);
}

function serveAuth(options: ServeOptions): ReturnType<typeof jwt> {
  const { jwtSecret, jwks: url, issuer, audience } = options;
  if (jwtSecret !== undefined && url !== undefined)
    throw new CommandError("Give either --jwt-secret or --jwks, not both: tokens are checked one way.");
  const named = {
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  if (jwtSecret !== undefined)
    return made(() =>
      jwt({ secret: jwtSecret, allowUnexpiring: options.allowUnexpiring === true, ...named }),
    );
  if (url === undefined)
    throw new CommandError(
      "Nobody could sign in: give --jwt-secret, or --jwks with --issuer and --audience. For trying things out on this machine, use: landfall dev",
    );
  if (issuer === undefined || audience === undefined)
    throw new CommandError(
      "--jwks needs --issuer and --audience, or tokens made for other services would be accepted.",
    );
  if (!URL.canParse(url))
    throw new CommandError(
      `${JSON.stringify(url)} is not an address. Give --jwks one such as https://id.example/jwks.json.`,
    );
  return made(() => jwks({ url, issuer, audience }));
}

/** `landfall serve`: for people; refuses development tokens. */
export async function serve(options: ServeOptions, terminal: Terminal): Promise<void> {
  const file = sqliteFile(options.storage);
  const auth = serveAuth(options);
  const { maxSocketsPerAddress } = options;
  const server = createServer({
    storage: made(() => sqlite(file)),
    auth,
    sockets: { maxSocketsPerAddress },
    ...keeping(options),
  });
  await run(server, options, terminal, (url) => [
    `Landfall is listening on ${url} (data in ${file}). Ctrl-C stops it.`,
  ]);
}
