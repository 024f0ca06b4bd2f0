import type { Outcome } from "@landfall/protocol";
import type { AnswerLeft, AnswerPart, Request } from "../history.js";
import type { Branch } from "../model/lineage.js";
import type { Checker, Finding, Run } from "./checker.js";

/** The index that an outcome says, if it says that the event was applied. */
export function appliedIndex(outcome: Outcome): number | undefined {
  if (outcome.status === "applied") return outcome.index;
  return outcome.status === "duplicate" && outcome.of === "applied" ? outcome.index : undefined;
}

/**
 * Strict serializability of each space, from the index as the witness (rules 2 and 4): every index is given once
 * and in order, an answer tells of what is committed and of nothing else, and what began after an answer had been
 * given comes after, or sees, what that answer told.
 */
export const serializability: Checker = {
  name: "serializability",
  rule: "rule 4",
  promise: "The order of indexes is the order of commits, and agrees with what anybody could have seen.",
  check(run) {
    const scan = new Scan(run);
    for (const branches of run.lineage.branches.values()) for (const branch of branches) scan.order(branch);
    for (const [position, entry] of run.entries.of("request", "answerLeft")) {
      if (entry.type === "request") scan.request(entry, position);
      else scan.answer(entry, position);
    }
    return scan.findings;
  },
};

/** What answers had told of a branch when somebody began. */
interface Mark {
  readonly branch: Branch;
  readonly told: number;
}

class Scan {
  readonly findings: Finding[] = [];
  /** The highest index that an answer has told of. */
  readonly #told = new Map<Branch, number>();
  /** The mark at which an event was first sent, by space and event. */
  readonly #sent = new Map<string, Mark>();
  readonly #asked = new Map<number, { readonly who: string; readonly spaces: ReadonlyMap<string, Mark> }>();

  constructor(readonly run: Run) {}

  /** Indexes without gaps, and times that never go back. */
  order(branch: Branch): void {
    const { space, generation } = branch;
    let last = 0;
    for (let index = branch.from + 1; index <= branch.head; index++) {
      const placed = branch.events.get(index);
      if (!placed) {
        const at = this.run.history.entries[branch.since]?.at ?? 0;
        this.findings.push({ at, message: `${space}: nobody got index ${index} of ${generation}` });
        continue;
      }
      const { modifiedAt, event } = placed.applied;
      if (modifiedAt < last)
        this.findings.push({
          at: placed.at,
          message: `${space}: index ${index} (${event}) has modifiedAt ${modifiedAt}, and one before it ${last}`,
        });
      last = modifiedAt;
    }
  }

  request(entry: Request, position: number): void {
    const spaces = new Map<string, Mark>();
    for (const part of entry.spaces) {
      const branch = this.#branch(part, position);
      if (!branch) continue;
      const mark = { branch, told: this.#told.get(branch) ?? 0 };
      spaces.set(part.space, mark);
      for (const { id } of part.events) {
        const name = `${part.space} ${id}`;
        if (!this.#sent.has(name)) this.#sent.set(name, mark);
      }
    }
    this.#asked.set(entry.exchange, { who: entry.tab, spaces });
  }

  /** The history that the message is about, if it stands now. */
  #branch(
    { space, generation }: { readonly space: string; readonly generation?: string },
    position: number,
  ): Branch | undefined {
    const standing = this.run.lineage.standing(space, position);
    return generation === undefined || standing?.generation === generation ? standing : undefined;
  }

  answer(entry: AnswerLeft, position: number): void {
    const asked = this.#asked.get(entry.exchange);
    for (const part of entry.spaces) {
      const branch = this.#branch(part, position);
      if (!branch || part.error) continue;
      this.#checkReads(entry, part, asked?.spaces.get(part.space), asked?.who ?? "somebody");
      for (const outcome of part.outcomes) this.#checkOutcome(entry, part, outcome, { branch, position });
    }
  }

  #checkReads(entry: AnswerLeft, part: AnswerPart, asked: Mark | undefined, who: string): void {
    if (!asked || part.head === undefined || asked.branch.generation !== part.generation) return;
    if (part.head < asked.told)
      this.findings.push({
        at: entry.at,
        message: `${entry.server} answered ${who} from head ${part.head} of ${part.space}, after index ${asked.told} had been told of before the question`,
      });
  }

  #checkOutcome(
    entry: AnswerLeft,
    part: AnswerPart,
    outcome: Outcome,
    { branch, position }: { readonly branch: Branch; readonly position: number },
  ): void {
    const index = appliedIndex(outcome);
    if (index === undefined) return;
    const placed = branch.eventAt(index);
    const where = `${entry.server} told that ${outcome.id} is index ${index} of ${part.space}`;
    if (!placed) {
      this.findings.push({ at: entry.at, message: `${where}, and no commit ever gave it` });
      return;
    }
    if (placed.applied.event !== outcome.id)
      this.findings.push({
        at: entry.at,
        message: `${where}, which is ${placed.applied.event ?? "the server's own"}`,
      });
    if (placed.position > position)
      this.findings.push({ at: entry.at, message: `${where} before that was committed` });
    const sent = this.#sent.get(`${part.space} ${outcome.id}`);
    if (outcome.status === "applied" && sent?.branch === branch && index <= sent.told)
      this.findings.push({
        at: entry.at,
        message: `${where}, although index ${sent.told} had been told of before it was sent`,
      });
    this.#told.set(branch, Math.max(this.#told.get(branch) ?? 0, index));
  }
}
