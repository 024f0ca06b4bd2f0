/** Labels of one sample; their values come from closed lists, never from a caller, or the series would grow without end. */
export type Labels = { readonly [name: string]: string };

/** A count that only grows, by labels. */
export class Counter {
  readonly #counts = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly help: string,
  ) {}

  add(count = 1, labels?: Labels): void {
    const key = labels === undefined ? "" : labelText(labels);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  get total(): number {
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  text(): string {
    let text = headerText(this.name, this.help, "counter");
    if (this.#counts.size === 0) text += `${this.name} 0\n`;
    for (const [labels, count] of this.#counts) text += `${this.name}${labels} ${count}\n`;
    return text;
  }
}

/** How often a measure fell into each bucket, by labels. */
export class Histogram {
  readonly #series = new Map<string, { readonly counts: number[]; sum: number; count: number }>();

  /** @param bounds upper bounds of the buckets, rising, in the unit that the name ends in. */
  constructor(
    readonly name: string,
    readonly help: string,
    readonly bounds: readonly number[],
  ) {}

  observe(value: number, labels?: Labels): void {
    const key = labels === undefined ? "" : labelText(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { counts: this.bounds.map(() => 0), sum: 0, count: 0 };
      this.#series.set(key, series);
    }
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) series.counts[bucket] = (series.counts[bucket] as number) + 1;
    series.sum += value;
    series.count += 1;
  }

  text(): string {
    let text = headerText(this.name, this.help, "histogram");
    for (const [labels, { counts, sum, count }] of this.#series) {
      const withBound = (bound: string): string =>
        labels === "" ? `{le="${bound}"}` : `${labels.slice(0, -1)},le="${bound}"}`;
      let below = 0;
      this.bounds.forEach((bound, i) => {
        below += counts[i] as number;
        text += `${this.name}_bucket${withBound(String(bound))} ${below}\n`;
      });
      text += `${this.name}_bucket${withBound("+Inf")} ${count}\n${this.name}_sum${labels} ${sum}\n${this.name}_count${labels} ${count}\n`;
    }
    return text;
  }
}

/** A value that was counted elsewhere, as text of the Prometheus exposition format. */
export function sampleText(
  name: string,
  help: string,
  type: "counter" | "gauge",
  samples: readonly (readonly [labels: Labels, value: number])[],
): string {
  return (
    headerText(name, help, type) +
    samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`).join("")
  );
}

function headerText(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function labelText(labels: Labels): string {
  let text = "";
  for (const name of Object.keys(labels)) {
    const value = (labels[name] as string).replace(/[\\"\n]/g, (mark) =>
      mark === "\n" ? "\\n" : `\\${mark}`,
    );
    text += `${text === "" ? "{" : ","}${name}="${value}"`;
  }
  return text === "" ? "" : `${text}}`;
}
