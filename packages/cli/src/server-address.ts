import { CommandError } from "./command-error.js";

/** The address of a server as a person gave it, without a slash at the end. @throws CommandError */
export function serverAddress(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  // "localhost:4400" can be read as an address, of the scheme "localhost:".
  if (url?.protocol === "http:" || url?.protocol === "https:") return url.href.replace(/\/+$/, "");
  throw new CommandError(
    `${JSON.stringify(given)} is not an address of a server. Give one such as http://localhost:4400.`,
  );
}
