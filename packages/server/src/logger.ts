/** The port for the server's log; console, pino and most loggers fit it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = { readonly [name: string]: unknown };

const nothing = (): void => undefined;

/** One JSON object a line on standard error, warnings and errors only: quiet while all is well. */
export function stderrLogger(): Logger {
  const line =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      const time = new Date().toISOString();
      process.stderr.write(`${JSON.stringify({ time, level, message, ...fields }, plainError)}\n`);
    };
  return { debug: nothing, info: nothing, warn: line("warn"), error: line("error") };
}

/** Errors have no members of their own that JSON would show. */
function plainError(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return value;
  return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
}
