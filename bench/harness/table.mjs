/**
 * The rows of one workload as lines of text in columns.
 *
 * @param {readonly import("./run.mjs").Row[]} rows
 * @param {readonly string[]} sides
 */
export function formatTable(rows, sides) {
  const header = ["", ...sides, "ratio", "target", ""];
  const body = rows.map((row) => [
    row.label,
    ...sides.map((side) => formatFigure(row.sides[side], row.unit)),
    row.ratio === undefined ? "" : `${row.ratio.toFixed(2)} ×`,
    row.target === undefined ? "" : formatTarget(row.target, row.unit),
    row.verdict ?? "",
  ]);
  const lines = [header, ...body];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const pad = (/** @type {string} */ cell, /** @type {number} */ column) => {
    const width = widths[column] ?? 0;
    return column === 0 ? cell.padEnd(width) : cell.padStart(width);
  };
  return lines.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

/**
 * @param {import("./run.mjs").Figure | undefined} figure
 * @param {string} unit
 */
function formatFigure(figure, unit) {
  if (figure === undefined) return "—";
  return `${formatValue(figure.median, unit)} (${formatNumber(scaled(figure.min, unit))}–${formatNumber(scaled(figure.max, unit))})`;
}

/** @param {import("../targets.mjs").Target} target @param {string} unit */
function formatTarget(target, unit) {
  if ("maxRatio" in target) return `≤ ${target.maxRatio} × floor`;
  return "max" in target ? `≤ ${formatValue(target.max, unit)}` : `< ${formatValue(target.below, unit)}`;
}

/** @param {number} value @param {string} unit */
function formatValue(value, unit) {
  return `${formatNumber(scaled(value, unit))} ${unit === "bytes" ? "kB" : unit}`.trimEnd();
}

/** @param {number} value @param {string} unit */
function scaled(value, unit) {
  return unit === "bytes" ? value / 1000 : value;
}

/** Three significant digits, and no digits after the point from 100 on. @param {number} value */
function formatNumber(value) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return Number(value.toPrecision(3)).toString();
}
