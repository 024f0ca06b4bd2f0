import { CommandError } from "./command-error.js";

/** The address of a server as a person gave it, without a slash at the end. @throws CommandError */
export function serverAddress(given: string): string {
  try {
    return new URL(given).href.replace(/\/+$/, "");
  } catch {
    throw new CommandError(
      `${JSON.stringify(given)} is not an address. Give one such as http://localhost:4400.`,
    );
  }
}
