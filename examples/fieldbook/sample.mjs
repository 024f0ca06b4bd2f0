/** The site that a first look starts with, and who is in it; the first of them owns it. */
export const sampleSite = "site-7";
export const sampleMembers = ["ann", "bob"];

const hourMs = 3_600_000;

/** Projects with their control points; a point with a result was checked so many hours ago. */
const projects = [
  {
    number: "2026-001",
    name: "Harbour wall, east section",
    place: "Quay 3",
    tags: ["concrete", "marine"],
    visits: 4,
    points: [
      { title: "Anchor bolts, bay 1", result: "ok", by: "ann", hours: 50 },
      { title: "Anchor bolts, bay 2", result: "failed", by: "ann", hours: 49 },
      { title: "Expansion joint", result: "ok", by: "bob", hours: 26 },
      { title: "Handrail, full length" },
    ],
    deviations: [
      {
        title: "Two bolts loose, one missing",
        severity: "critical",
        point: 1,
        by: "ann",
        hours: 49,
        details: "Bay 2, third and fourth from the ladder. Area taped off.",
      },
      { title: "Spalling below the coping", severity: "major", by: "bob", hours: 26 },
      { title: "Paint worn on bollard 6", severity: "minor", by: "bob", hours: 25 },
    ],
  },
  {
    number: "2026-002",
    name: "Footbridge over the canal",
    place: "Mill Lane",
    tags: ["steel"],
    visits: 2,
    points: [
      { title: "Bearings, north", result: "ok", by: "bob", hours: 30 },
      { title: "Bearings, south", result: "ok", by: "bob", hours: 30 },
      { title: "Deck boards" },
      { title: "Lighting" },
    ],
    deviations: [
      { title: "Deck boards slippery when wet", severity: "major", point: 2, by: "bob", hours: 29 },
    ],
  },
  {
    number: "2026-003",
    name: "Boiler house roof",
    place: "Plant 2",
    tags: ["roof", "annual"],
    visits: 1,
    points: [{ title: "Membrane" }, { title: "Gutters" }, { title: "Fall protection" }],
    deviations: [],
  },
  {
    number: "2026-004",
    name: "Retaining wall, car park",
    tags: ["concrete"],
    visits: 3,
    closed: true,
    points: [{ title: "Drainage holes", result: "ok", by: "ann", hours: 200 }],
    deviations: [
      { title: "Weep hole blocked", severity: "minor", point: 0, by: "ann", hours: 210, closedHours: 200 },
    ],
  },
];

/**
 * Writes the sample into an empty site, all at once.
 *
 * @param {any} tx of the server, for Fieldbook's schema
 */
export function writeSample(tx) {
  const now = Date.now();
  const done = (/** @type {string} */ by, /** @type {number} */ hours) => ({ by, at: now - hours * hourMs });
  tx.site.put("about", { name: "Northside works" });
  for (const { points, deviations, closed = false, ...fields } of projects) {
    const projectId = tx.project.create({ ...fields, status: closed ? "closed" : "open" });
    const keys = points.map(({ title, result, by = "", hours = 0 }) =>
      tx.controlpoint.create({
        projectId,
        title,
        ...(result ? { check: { result, ...done(by, hours) } } : {}),
      }),
    );
    for (const { title, severity, details, point, by, hours, closedHours } of deviations) {
      tx.deviation.create({
        projectId,
        title,
        severity,
        reported: done(by, hours),
        ...(details ? { details } : {}),
        ...(point === undefined ? {} : { pointId: keys[point] }),
        ...(closedHours === undefined ? {} : { closed: done(by, closedHours) }),
      });
    }
  }
}
