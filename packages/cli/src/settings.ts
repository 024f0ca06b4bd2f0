import { InvalidArgumentError, Option } from "commander";

/**
 * Every setting of the command, declared once: the flag, the environment variable, the help, the check and
 * the default all come from here (DESIGN §15).
 */
interface Setting<T> {
  readonly flag: string;
  readonly help: string;
  readonly standard?: T;
  readonly parse?: (text: string) => T;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError("A port is a whole number from 0 to 65535; 0 takes any that is free.");
  return value;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("Give a whole number from 1.");
  return value;
}

function days(text: string): number {
  const value = text === "forever" ? Infinity : Number(text);
  if (!(value >= 1)) throw new InvalidArgumentError("Give a number of days from 1, or forever.");
  return value;
}

const declared = {
  port: {
    flag: "--port <port>",
    help: "port to listen on; 0 takes any that is free",
    standard: 4400,
    parse: port,
  },
  host: { flag: "--host <address>", help: "address to listen on", standard: "127.0.0.1" },
  data: { flag: "--data <folder>", help: "folder that the data is kept in", standard: "./.landfall" },
  storage: { flag: "--storage <address>", help: "where the data is: sqlite:FILE" },
  jwtSecret: { flag: "--jwt-secret <secret>", help: "shared secret that tokens are signed with (HS256)" },
  allowUnexpiring: {
    flag: "--allow-unexpiring",
    help: "take tokens that never expire too, with --jwt-secret: whoever has one has it for ever",
  },
  jwks: {
    flag: "--jwks <url>",
    help: "address of the keys that tokens are signed with; needs --issuer and --audience",
  },
  issuer: { flag: "--issuer <name>", help: "issuer that tokens must name" },
  audience: { flag: "--audience <name>", help: "audience that tokens must name" },
  maxSocketsPerAddress: {
    flag: "--max-sockets-per-address <count>",
    help: "sockets that one address may hold",
    standard: 256,
    parse: count,
  },
  keepDeletes: {
    flag: "--keep-deletes <days>",
    help: "how long deletes are remembered for devices that are away, or `forever`",
    standard: 90,
    parse: days,
  },
  keepOutcomes: {
    flag: "--keep-outcomes <days>",
    help: "how long acknowledged outcomes of devices that are away are kept, or `forever`",
    standard: 30,
    parse: days,
  },
  recoverFor: {
    flag: "--recover-for <days>",
    help: "how long after a restore clients may offer back what it lost, or `forever`",
    standard: 30,
    parse: days,
  },
  url: { flag: "--url <url>", help: "address of the server" },
  token: { flag: "--token <token>", help: "token to sign in with" },
  secondToken: {
    flag: "--second-token <token>",
    help: "token of another user: what strangers and members may do is asked only with one",
  },
  only: { flag: "--only <checks>", help: "checks or groups of checks to run, with commas between them" },
  to: { flag: "--to <file>", help: "file to write" },
  from: { flag: "--from <file>", help: "file to read" },
  force: { flag: "--force", help: "replace a file that is there" },
  skipVerify: { flag: "--skip-verify", help: "restore without looking for damage first" },
  as: { flag: "--as <id>", help: "another id for the space, which --space names where there are several" },
  owner: { flag: "--owner <user>", help: "user who becomes an owner, beside the members that there were" },
  space: { flag: "--space <id>", help: "space to look at" },
  json: { flag: "--json", help: "print JSON" },
} as const satisfies { readonly [name: string]: Setting<string | number> };

export type SettingName = keyof typeof declared;

/** `LANDFALL_` and the flag's words. */
const variable = (flag: string): string =>
  `LANDFALL_${(flag.split(" ")[0] as string).slice(2).replaceAll("-", "_").toUpperCase()}`;

/** The option of a setting, for a command. */
export function option(name: SettingName, standard?: string): Option {
  const setting: Setting<string | number> = declared[name];
  const made = new Option(setting.flag, setting.help).env(variable(setting.flag));
  if (setting.parse) made.argParser(setting.parse);
  const value = standard ?? setting.standard;
  return value === undefined ? made : made.default(value);
}
