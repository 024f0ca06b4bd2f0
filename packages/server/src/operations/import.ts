import {
  type ClockPort,
  type RandomPort,
  type Row,
  type Sha256,
  type Stamps,
  canonicalJson,
  decodeText,
  effectiveStamp,
  isIdentifier,
  limits,
  randomIdentifier,
  stampReading,
} from "@landfall/protocol";
import { type Recorded, storedBody } from "../exchange/outcome.js";
import { SpaceBatch } from "../apply/space-batch.js";
import { type EventScope, slotName } from "../apply/working-set.js";
import { type Core, makeCore } from "../core.js";
import type { SpaceTransaction, Storage, WriterState } from "../storage/port.js";
import {
  type ExportCheckpoint,
  type ExportEnd,
  type ExportHeader,
  type ExportMember,
  type ExportSpace,
  exportFormat,
  exportLine,
  hexOf,
  sectionBytes,
  sectionRows,
} from "./export-format.js";

export interface ImportOptions {
  readonly storage: Storage;
  readonly clock?: ClockPort;
  readonly random?: RandomPort;
  readonly hash?: Sha256;
  /** Only this space of the export. */
  readonly only?: string;
  /** Another name for the space: of several, the one that `only` names. */
  readonly as?: string;
  /** Becomes an owner of every space, beside the members that it had. */
  readonly owner?: string;
}

/** What became of one space of an export. */
export interface ImportedSpace {
  readonly space: string;
  /** Rows of the export. */
  readonly rows: number;
  /** Rows that were written now; the others had been, or were the same. */
  readonly written: number;
  /** Whether an earlier run had begun it. */
  readonly resumed: boolean;
}

/** Thrown for a line that cannot be imported; nothing of its section was written. */
export class ImportError extends Error {
  override readonly name = "ImportError";
}

/** The space that lines are about. */
interface Target {
  readonly announced: ExportSpace;
  /** Its name here; undefined for one that is passed over. */
  readonly space: string | undefined;
  readonly members: ExportMember[];
  writer: WriterState | undefined;
  sections: number;
  rows: number;
  written: number;
  resumed: boolean;
}

/**
 * Reads an export, line by line, into spaces that are not there yet. Each section is one event of the server's own,
 * on the one way through that every event goes: it takes the next index, keeps the rows' stamps as far as they lie
 * in the past, and is known by its number, so that an import that was broken off goes on after the last section that
 * it had written, and one that is repeated changes nothing.
 */
export class Importer {
  readonly imported: ImportedSpace[] = [];
  isDone = false;
  readonly #core: Core;
  #header: ExportHeader | undefined;
  #target: Target | undefined;
  /** Spaces that are whole, passed over or not. */
  readonly #ended = new Set<string>();
  #section: { readonly row: Row; readonly text: string }[] = [];
  #bytes = 0;

  constructor(private readonly options: ImportOptions) {
    const { storage, clock, random, hash } = options;
    this.#core = makeCore({
      storage,
      ...(clock && { clock }),
      ...(random && { random }),
      ...(hash && { hash }),
    });
    for (const name of [options.only, options.as])
      if (name !== undefined && !isIdentifier(name)) throw new ImportError(`${name} is no name of a space.`);
    if (options.as !== undefined && options.only === undefined)
      throw new ImportError("Another name is given for one space only: say which");
  }

  /** Takes in the next line, without its line feed. @throws ImportError */
  async take(text: string): Promise<void> {
    const decoded = decodeText(exportLine, text);
    if (!decoded.ok) throw new ImportError(`this is no line of an export: ${decoded.message}`);
    const line = decoded.value;
    if (this.isDone) throw new ImportError("the export had ended before");
    if ("landfall" in line) return this.#begin(line);
    if (!this.#header) throw new ImportError("the file does not begin as an export does");
    if ("done" in line) return this.#finish(line.spaces);
    if ("space" in line) return this.#enter(line);
    const target = this.#target;
    if (!target) throw new ImportError("this belongs to a space, and none was named");
    if ("member" in line) return this.#addMember(target, line);
    if ("checkpoint" in line) return this.#endSection(target, line);
    if ("end" in line) return this.#leave(target, line);
    if (target.members.length < target.announced.members) throw new ImportError("a member was expected");
    this.#section.push({ row: line, text });
    this.#bytes += text.length;
    if (this.#section.length > sectionRows || this.#bytes > sectionBytes + 2 * limits.maxRecordBytes)
      throw new ImportError(`a section has at most ${sectionRows} rows and about ${sectionBytes} bytes`);
  }

  /** Says that there are no more lines. @throws ImportError where the export was cut off. */
  end(): void {
    if (!this.isDone)
      throw new ImportError(
        "the export ends before its last line: it was cut off. What is whole of it was imported; finish the export, and import it again",
      );
  }

  #begin(header: ExportHeader): void {
    if (this.#header) throw new ImportError("an export begins once");
    if (header.format !== exportFormat)
      throw new ImportError(
        `the export has format ${header.format}, and this release reads format ${exportFormat}`,
      );
    this.#header = header;
  }

  #finish(spaces: number): void {
    if (this.#target) throw new ImportError(`the space ${this.#target.announced.space} has not ended`);
    if (this.#ended.size !== spaces)
      throw new ImportError(
        `of the ${spaces} spaces that were exported, ${this.#ended.size} came. What came was imported; the rest is missing from this file`,
      );
    const { only } = this.options;
    if (only !== undefined && this.imported.length === 0)
      throw new ImportError(`there is no space ${only} in this export, which has ${spaces}`);
    this.isDone = true;
  }

  #enter(announced: ExportSpace): void | Promise<void> {
    const { only, as } = this.options;
    const before = this.#target;
    if (before && before.announced.space !== announced.space)
      throw new ImportError(`the space ${before.announced.space} has not ended`);
    if (this.#section.length > 0) throw new ImportError("a section has not ended");
    if (this.#ended.has(announced.space)) throw new ImportError(`the space ${announced.space} comes twice`);
    const isWanted = only === undefined || only === announced.space;
    const space = isWanted ? (as ?? announced.space) : undefined;
    const counts = before ?? { writer: undefined, sections: 0, rows: 0, written: 0, resumed: false };
    this.#target = { ...counts, announced, space, members: [] };
    return announced.members === 0 ? this.#open(this.#target) : undefined;
  }

  #addMember(target: Target, member: ExportMember): void | Promise<void> {
    if (target.members.length >= target.announced.members)
      throw new ImportError("more members than were said");
    target.members.push(member);
    return target.members.length === target.announced.members ? this.#open(target) : undefined;
  }

  /** One for each space of an export: another one of it may have been imported under the name. */
  #deviceOf({ announced }: Target): string {
    return `import-${hexOf(this.#core.hash(`${this.#header?.id ?? ""} ${announced.space}`)).slice(0, 32)}`;
  }

  /** Makes the space, or finds that this very import had made it. */
  async #open(target: Target): Promise<void> {
    const { space, announced } = target;
    if (space === undefined || target.writer) return;
    const core = this.#core;
    const now = Math.floor(core.clock.now());
    const device = this.#deviceOf(target);
    await core.storage.write(space, async (transaction) => {
      const opened = await transaction.open(device, "");
      if (opened?.writer) {
        target.writer = opened.writer;
        target.resumed = true;
        return;
      }
      if (opened)
        throw new ImportError(
          `there is a space ${space} already, which does not come from this export. Import it under another name`,
        );
      const generation = randomIdentifier(core.random);
      const state = { generation, head: 0, receivedMs: 0, receivedCounter: 0, modifiedAt: 0 };
      await transaction.startGeneration(
        { generation, reason: "created", parent: undefined, at: 0, startedAt: now },
        { ...state, schema: announced.schema, lookups: core.lookupDeclaration },
        false,
      );
      await this.#saveMembers(transaction, target, now);
      await transaction.save({ writer: (target.writer = importWriter(device, now)) });
    });
  }

  async #saveMembers(transaction: SpaceTransaction, target: Target, since: number): Promise<void> {
    const { owner } = this.options;
    const roles = new Map(target.members.map(({ member, role }) => [member, role]));
    if (owner !== undefined) roles.set(owner, "owner");
    if (![...roles.values()].includes("owner"))
      throw new ImportError(`the space ${target.announced.space} has no owner. Name one`);
    for (const [user, role] of roles) await transaction.saveMember({ user, role, since });
  }

  async #endSection(target: Target, { checkpoint, rows, sha256 }: ExportCheckpoint): Promise<void> {
    const section = this.#section;
    this.#section = [];
    this.#bytes = 0;
    if (checkpoint !== target.announced.space) throw new ImportError("the checkpoint is of another space");
    const body = `${section.map(({ text }) => text).join("\n")}\n`;
    if (section.length !== rows || hexOf(this.#core.hash(body)) !== sha256)
      throw new ImportError("the rows before this checkpoint are not those that were exported");
    target.sections += 1;
    target.rows += rows;
    if (!target.writer || target.space === undefined || target.sections <= target.writer.lastSeq) return;
    target.written += await this.#core.storage.write(target.space, (transaction) =>
      this.#apply(
        transaction,
        target,
        section.map(({ row }) => row),
      ),
    );
    target.writer = { ...target.writer, lastSeq: target.sections };
  }

  /** Writes a section as one event. @returns how many rows it changed. */
  async #apply(transaction: SpaceTransaction, target: Target, rows: readonly Row[]): Promise<number> {
    const opened = await transaction.open(this.#deviceOf(target), "");
    const seq = target.sections;
    if (!opened?.writer || opened.writer.lastSeq !== seq - 1)
      throw new ImportError(
        `the space ${target.space} has changed under this import. Is another one running?`,
      );
    const batch = new SpaceBatch(this.#core, transaction, opened);
    await batch.working.load(rows);
    const scope = batch.beginOwn();
    for (const row of rows) put(batch, scope, row);
    if (batch.isBeyondDomains(scope))
      throw new ImportError(`a space has at most ${limits.maxDomains} domains`);
    if (batch.rows > this.#core.limits.maxRowsPerSpace)
      throw new ImportError(`a space has at most ${this.#core.limits.maxRowsPerSpace} records`);
    const changed = scope.changes.size;
    const recorded: Recorded =
      changed > 0
        ? { status: "applied", index: scope.index, modifiedAt: scope.modifiedAt }
        : { status: "void" };
    if (changed > 0) batch.accept(scope, { device: "server", user: "", seq: 0, computable: false });
    const id = scope.stamp;
    await batch.save({
      writer: { ...opened.writer, lastSeq: seq, acked: seq, expired: seq - 1, seenAt: scope.modifiedAt },
      outcomes: { outcomes: [{ id, seq, body: storedBody(recorded) }], fresh: [{ id, seq }] },
    });
    return changed;
  }

  #leave(target: Target, { end, rows }: ExportEnd): void {
    if (this.#section.length > 0) throw new ImportError("a section has not ended");
    if (end !== target.announced.space) throw new ImportError("this ends another space");
    if (rows !== target.rows)
      throw new ImportError(`the space was exported with ${rows} rows, and ${target.rows} are here`);
    const { space, written, resumed } = target;
    if (space !== undefined) this.imported.push({ space, rows, written, resumed });
    this.#ended.add(end);
    this.#target = undefined;
  }
}

/** What an import is known by: it stands where a device does, and belongs to nobody. */
function importWriter(device: string, seenAt: number): WriterState {
  const counters = { lastSeq: 0, acked: 0, expired: 0, cursor: 0 };
  return { device, user: "", ...counters, rejectedCreates: [], seenAt };
}

/** Puts a row into its place as it was, unless it stands there so. */
function put(batch: SpaceBatch, scope: EventScope, row: Row): void {
  const slot = batch.working.slot(row.domain, row.key);
  const { current } = slot;
  if (row.deleted) {
    if (!current?.deleted) scope.write(slot, { deleted: true }, "op");
    return;
  }
  const fieldsText = canonicalJson(row.fields);
  if (fieldsText.length > limits.maxRecordBytes)
    throw new ImportError(
      `the record ${slotName(row.domain, row.key)} has about ${fieldsText.length} bytes; a record has at most ${limits.maxRecordBytes}`,
    );
  const stamps = settledStamps(row.stamps, scope);
  const isSame =
    current !== undefined &&
    !current.deleted &&
    current.fieldsText === fieldsText &&
    current.stampsText === canonicalJson(stamps);
  if (!isSame) scope.write(slot, { fields: row.fields, stamps }, "op");
}

/** Stamps as they were, but none later than this event: or what a wrong clock wrote elsewhere would win here for ever (DESIGN rule 6). */
function settledStamps(stamps: Stamps, { stamp: own }: EventScope): Stamps {
  const received = stampReading(own);
  const settled: Record<string, string> = {};
  const created = effectiveStamp(stamps["*"] as string, received);
  settled["*"] = created;
  for (const [field, stamp] of Object.entries(stamps)) {
    const effective = effectiveStamp(stamp, received);
    if (field !== "*" && effective > created) settled[field] = effective;
  }
  return settled;
}
