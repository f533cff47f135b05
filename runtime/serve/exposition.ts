/** Metrics in the text format of Prometheus, version 0.0.4. */

export const contentType = 'text/plain; version=0.0.4; charset=utf-8';

export type Labels = Readonly<Record<string, string>>;

/** One metric with all its labels, as lines without their end. */
export interface Metric {
  lines(): string[];
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

const labelsText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`,
  );
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
};

/** As Go reads numbers. */
const numberText = (value: number): string => {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
};

const sample = (name: string, labels: Labels, value: number): string =>
  `${name}${labelsText(labels)} ${numberText(value)}`;

const head = (name: string, help: string, type: string): string[] => [
  `# HELP ${name} ${escaped(help)}`,
  `# TYPE ${name} ${type}`,
];

/** A number that only grows. */
export class Counter implements Metric {
  readonly #head: readonly string[];
  readonly #name: string;
  readonly #series = new Map<string, { labels: Labels; value: number }>();

  constructor(name: string, help: string) {
    this.#name = name;
    this.#head = head(name, help, 'counter');
  }

  add(labels: Labels, amount = 1): void {
    this.of(labels)(amount);
  }

  /** Adds to the series of these labels: what is called often looks it up once. */
  of(labels: Labels): (amount?: number) => void {
    const key = labelsText(labels);
    const series = this.#series.get(key) ?? { labels, value: 0 };
    this.#series.set(key, series);
    return (amount = 1) => {
      series.value += amount;
    };
  }

  lines(): string[] {
    return [
      ...this.#head,
      ...[...this.#series.values()].map(({ labels, value }) => sample(this.#name, labels, value)),
    ];
  }
}

/** A number that is looked up when somebody asks for it. */
export const reading = (
  type: 'gauge' | 'counter',
  name: string,
  help: string,
  read: () => readonly (readonly [labels: Labels, value: number])[],
): Metric => ({
  lines: () => [...head(name, help, type), ...read().map(([labels, value]) => sample(name, labels, value))],
});

interface Distribution {
  readonly labels: Labels;
  /** How many values are in each bucket alone; the last has no bound. */
  readonly counts: number[];
  sum: number;
}

/** How often values lie below bounds. */
export class Histogram implements Metric {
  readonly #head: readonly string[];
  readonly #name: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Distribution>();

  /** @param bounds ascending; a value belongs to the first that is not below it */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#head = head(name, help, 'histogram');
    this.#bounds = bounds;
  }

  observe(labels: Labels, value: number): void {
    this.of(labels)(value);
  }

  /** Puts a value into the series of these labels: what is called often looks it up once. */
  of(labels: Labels): (value: number) => void {
    const key = labelsText(labels);
    const counts = Array.from({ length: this.#bounds.length + 1 }, () => 0);
    const series = this.#series.get(key) ?? { labels, counts, sum: 0 };
    this.#series.set(key, series);
    return (value) => {
      const bucket = this.#bounds.findIndex((bound) => value <= bound);
      series.counts[bucket === -1 ? this.#bounds.length : bucket]! += 1;
      series.sum += value;
    };
  }

  lines(): string[] {
    const lines = [...this.#head];
    for (const { labels, counts, sum } of this.#series.values()) {
      let below = 0;
      counts.forEach((count, bucket) => {
        below += count;
        const le = numberText(this.#bounds[bucket] ?? Number.POSITIVE_INFINITY);
        lines.push(sample(`${this.#name}_bucket`, { ...labels, le }, below));
      });
      lines.push(sample(`${this.#name}_sum`, labels, sum), sample(`${this.#name}_count`, labels, below));
    }
    return lines;
  }
}

export const exposition = (metrics: readonly Metric[]): string =>
  `${metrics.flatMap((metric) => metric.lines()).join('\n')}\n`;
