import type { ControlPoint, Deviation, Project, Setting, Severity } from "./records.js";

/** A project with what a list says of it. */
export interface ProjectSummary {
  readonly project: Project;
  readonly points: number;
  readonly checked: number;
  readonly openDeviations: number;
  /** Of the open deviations. */
  readonly worst: Severity | undefined;
  /** Whether something of it has not reached the server. */
  readonly pending: boolean;
}

/** By rank, so that the worse is the greater. */
const rank: { readonly [S in Severity]: number } = { minor: 1, major: 2, critical: 3 };

const isWorse = (one: Severity, other: Severity | undefined): boolean =>
  other === undefined || rank[one] > rank[other];

/** Sums up each project, in the order of `projects`. */
export function summarize(
  projects: readonly Project[],
  points: readonly ControlPoint[],
  deviations: readonly Deviation[],
): readonly ProjectSummary[] {
  const pointsOf = byProject(points);
  const deviationsOf = byProject(deviations);
  return projects.map((project) => {
    const ownPoints = pointsOf.get(project.key) ?? [];
    const ownDeviations = deviationsOf.get(project.key) ?? [];
    const open = ownDeviations.filter(({ closed }) => !closed);
    return {
      project,
      points: ownPoints.length,
      checked: ownPoints.filter(({ check }) => check).length,
      openDeviations: open.length,
      worst: open.reduce<Severity | undefined>(
        (worst, { severity }) => (isWorse(severity, worst) ? severity : worst),
        undefined,
      ),
      pending:
        project.$.pending || ownPoints.some(({ $ }) => $.pending) || ownDeviations.some(({ $ }) => $.pending),
    };
  });
}

function byProject<R extends { readonly projectId: string }>(
  records: readonly R[],
): ReadonlyMap<string, readonly R[]> {
  const groups = new Map<string, R[]>();
  for (const record of records) {
    const group = groups.get(record.projectId);
    if (group) group.push(record);
    else groups.set(record.projectId, [record]);
  }
  return groups;
}

/** As people sort: "Bolt 2" before "Bolt 10", whatever the case. */
export const inOrder: (one: string, other: string) => number = new Intl.Collator(undefined, {
  numeric: true,
  sensitivity: "base",
}).compare;

/** Which projects are shown, and in which order. Every word that is sought has to be found somewhere in the project. */
export function choose(
  summaries: readonly ProjectSummary[],
  { filter, order, search }: Pick<Setting, "filter" | "order"> & { readonly search: string },
): readonly ProjectSummary[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = summaries.filter(({ project }) => {
    if (filter !== "all" && project.status !== filter) return false;
    const text = [project.number, project.name, project.place ?? "", ...project.tags]
      .join("\n")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const byNumber = (a: ProjectSummary, b: ProjectSummary): number =>
    inOrder(a.project.number, b.project.number);
  const worst = ({ worst }: ProjectSummary): number => (worst ? rank[worst] : 0);
  const compare = {
    number: byNumber,
    name: (a: ProjectSummary, b: ProjectSummary) => inOrder(a.project.name, b.project.name) || byNumber(a, b),
    severity: (a: ProjectSummary, b: ProjectSummary) =>
      worst(b) - worst(a) || b.openDeviations - a.openDeviations || byNumber(a, b),
  }[order];
  return found.toSorted(compare);
}

/** The number after the highest that ends in digits, in its form: after "2026-009" comes "2026-010". */
export function nextNumber(numbers: readonly string[]): string {
  let best: { readonly stem: string; readonly digits: string } | undefined;
  const collator = new Intl.Collator("en", { numeric: true });
  for (const number of numbers) {
    const [, stem, digits] = /^(.*?)(\d{1,9})$/.exec(number) ?? [];
    if (stem === undefined || digits === undefined) continue;
    if (!best || collator.compare(number, best.stem + best.digits) > 0) best = { stem, digits };
  }
  return best ? best.stem + String(Number(best.digits) + 1).padStart(best.digits.length, "0") : "1";
}
