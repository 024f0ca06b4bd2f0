import { type Authenticator, unauthorized } from "./authenticator.js";

const prefix = "dev:";

/**
 * Tokens that anyone can write: `dev:ann` signs in as `ann` (DESIGN §15). `createServer` refuses them unless it
 * is given `development: true`, and should a function of the app's own wrap them, they refuse by themselves.
 */
export function devTokens(): Authenticator {
  const authenticator: Authenticator = (token, { development }) => {
    if (!development) {
      throw unauthorized("Development tokens work only on a server that was started with `landfall dev`.");
    }
    if (!token.startsWith(prefix) || token.length === prefix.length) {
      throw unauthorized(
        'This development server takes tokens of the form "dev:<user>", for example "dev:ann".',
      );
    }
    return { id: token.slice(prefix.length) };
  };
  return Object.assign(authenticator, { developmentOnly: true } as const);
}
