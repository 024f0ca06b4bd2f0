import type { StandardSchemaV1 } from "@standard-schema/spec";

/** What is wrong with a value, and where: names and positions from the outside in. */
export interface Issue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface Invalid {
  readonly ok: false;
  readonly issues: readonly Issue[];
}

export function invalid(path: readonly (string | number)[], message: string): Invalid {
  return { ok: false, issues: [{ path, message }] };
}

/** Issues as one line for people: `name: Too short; due: Expected a number`. */
export function describeIssues(issues: readonly Issue[]): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`))
    .join("; ");
}

/**
 * Runs a validator of the app's on any value. Total: a validator that throws, or that answers with a
 * promise, is an issue. Reads are synchronous and an action must give the same result at every run, so
 * nothing here can wait.
 */
export function runValidator(
  validator: StandardSchemaV1,
  value: unknown,
): { readonly ok: true; readonly value: unknown } | Invalid {
  let result: ReturnType<StandardSchemaV1["~standard"]["validate"]>;
  try {
    result = validator["~standard"].validate(value);
  } catch (error) {
    return invalid([], `The validator failed: ${String(error)}`);
  }
  if (result instanceof Promise) {
    // The answer comes too late to be used; a late rejection must not end the process either.
    result.catch(() => undefined);
    return invalid(
      [],
      "The validator is asynchronous. Use one that answers at once: no async refinements or transforms.",
    );
  }
  if (!result.issues) return { ok: true, value: result.value };
  return {
    ok: false,
    issues: result.issues.map(({ path, message }) => ({ path: (path ?? []).map(pathStep), message })),
  };
}

function pathStep(step: PropertyKey | StandardSchemaV1.PathSegment): string | number {
  const key = typeof step === "object" ? step.key : step;
  return typeof key === "number" ? key : String(key);
}
