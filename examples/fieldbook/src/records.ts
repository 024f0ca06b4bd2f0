import type { Client, RecordOf, SpaceHandle } from "@landfall/client";
import type { Schema, schema } from "./schema.js";

type Domains = (typeof schema)["domains"];

export type FieldbookClient = Client<Schema>;
export type SiteSpace = SpaceHandle<Schema>;

export type Project = RecordOf<Domains["project"]>;
export type ControlPoint = RecordOf<Domains["controlpoint"]>;
export type Deviation = RecordOf<Domains["deviation"]>;
export type Setting = RecordOf<Domains["setting"]>;

export type Severity = Deviation["severity"];

/** Worst first. */
export const severities: readonly Severity[] = ["critical", "major", "minor"];
