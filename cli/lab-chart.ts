import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Bias, Figures, LabNetwork } from '../train/lab/index.ts';
import { penaltyText } from '../train/lab/index.ts';

const WIDTH = 980;
const PLOT = { width: 700, height: 330, left: 8, top: 44 };
const LEGEND_LINE = 22;

/** In the order of the chart, from above; `least` is the smallest value that is drawn, in relative units. */
const quantities = [
  { name: 'bias', label: '↑ bias of the hidden layers, ‖E[ĝ] − g‖ / ‖g‖', least: 1e-4 },
  { name: 'variance', label: '↑ variance of one step, tr Cov[ĝ] / ‖g‖²', least: 1e-4 },
] as const satisfies readonly { name: keyof Figures; label: string; least: number }[];

/** A hue by kind, in degrees, and how far it moves over the estimators of the kind: all are told from both grounds. */
const hues: Readonly<Record<string, readonly [from: number, to: number]>> = {
  straightThrough: [355, 355],
  importanceWeighted: [225, 165],
  analyticalGumbelRao: [275, 275],
  straightThroughGumbelSoftmax: [305, 305],
  gumbelSoftmax: [330, 330],
  surrogate: [12, 48],
};

/** Kinds that are drawn with dashes: what they send forward is another network than the one they are held against. */
const dashed = new Set(['gumbelSoftmax', 'surrogate']);

interface Line {
  readonly name: string;
  readonly color: string;
  readonly dashed: boolean;
}

function linesOf({ estimators }: LabNetwork): Line[] {
  return estimators.map(({ name, estimator }) => {
    const alike = estimators.filter((other) => other.estimator.name === estimator.name);
    const place = alike.findIndex((other) => other.name === name) / Math.max(1, alike.length - 1);
    const [from, to] = hues[estimator.name] ?? [0, 0];
    const saturation = estimator.name in hues ? 70 : 0;
    const color = `hsl(${Math.round(from + (to - from) * place)}, ${saturation}%, 50%)`;
    return { name, color, dashed: dashed.has(estimator.name) };
  });
}

/**
 * Bias and variance against depth, a line per estimator, side by side without and with the penalty: an SVG that
 * takes its ink from the ground it lies on.
 */
export function labChart(networks: readonly LabNetwork[]): string {
  const [first] = networks as [LabNetwork];
  const lines = linesOf(first);
  const { document } = parseHTML('<html><body></body></html>');
  const plots = quantities.map((quantity, index) => {
    const plot = quantityPlot(networks, lines, quantity, document);
    plot.setAttribute('x', String(PLOT.left));
    plot.setAttribute('y', String(PLOT.top + index * (PLOT.height + 16)));
    return plot.outerHTML;
  });
  const height = PLOT.top + quantities.length * (PLOT.height + 16);
  const legend = lines.map(({ name, color, dashed }, index) => {
    const y = PLOT.top + 40 + index * LEGEND_LINE;
    const dash = dashed ? ' stroke-dasharray="5 3"' : '';
    return (
      `<line x1="722" x2="750" y1="${y}" y2="${y}" stroke="${color}" stroke-width="2.5"${dash}/>` +
      `<text x="758" y="${y}" dy="0.32em">${escaped(name)}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">`,
    '<style>:root{color:#1f2328;background:#fff}@media(prefers-color-scheme:dark){:root{color:#e6edf3;background:#0d1117}}' +
      'text{font:12px system-ui,sans-serif;fill:currentColor}.title{font-size:15px;font-weight:600}</style>',
    '<text class="title" x="12" y="24">Gradient estimators against the true gradient</text>',
    ...plots,
    ...legend,
    '</svg>\n',
  ].join('\n');
}

/** What is used of an element; Plot's own types are those of a browser. */
interface SvgElement {
  readonly outerHTML: string;
  setAttribute(name: string, value: string): void;
}

interface Point {
  readonly depth: number;
  readonly value: number;
  readonly name: string;
  readonly penalty: string;
}

function quantityPlot(
  networks: readonly LabNetwork[],
  lines: readonly Line[],
  { name: quantity, label, least }: (typeof quantities)[number],
  document: unknown,
): SvgElement {
  const points = networks.flatMap(({ widths, penalty, estimators }) =>
    estimators.map(({ name, hidden }): Point => {
      const { value, resolved = true } = hidden[quantity] as Bias;
      // A gap stands for what vanished or is within its error.
      const drawn = resolved && value >= least ? value : Number.NaN;
      return { depth: widths.length, value: drawn, name, penalty: penaltyText(penalty) };
    }),
  );
  const powers = powersWithin(points.map(({ value }) => value).filter(Number.isFinite));
  const channels = { x: 'depth', y: 'value', fx: 'penalty', z: 'name', stroke: 'name' } as const;
  const of = (dashes: boolean): Point[] =>
    points.filter(({ name }) => lines.some((line) => line.name === name && line.dashed === dashes));
  const options = {
    document,
    width: PLOT.width,
    height: PLOT.height,
    marginLeft: 58,
    marginTop: 44,
    style: { background: 'transparent', color: 'currentColor' },
    x: { type: 'point', label: 'hidden layers', tickFormat: String },
    y: {
      type: 'log',
      label,
      grid: true,
      domain: [powers[0], powers.at(-1)],
      ticks: powers,
      tickFormat: powerText,
    },
    fx: { label: null, domain: [...new Set(points.map(({ penalty }) => penalty))] },
    color: { domain: lines.map(({ name }) => name), range: lines.map(({ color }) => color) },
    marks: [
      Plot.lineY(of(false), { ...channels, strokeWidth: 2 }),
      Plot.lineY(of(true), { ...channels, strokeWidth: 1.5, strokeDasharray: '5 3' }),
      Plot.dot(points, { ...channels, r: 2.5, fill: 'name' }),
    ],
  };
  return Plot.plot(options as Plot.PlotOptions) as unknown as SvgElement;
}

/** The powers of ten that numbers lie between. */
function powersWithin(numbers: readonly number[]): number[] {
  const exponents = numbers.map(Math.log10);
  const first = Math.floor(Math.min(...exponents, 0));
  const last = Math.ceil(Math.max(...exponents, 0));
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
}

const powerText = (value: number): string =>
  value >= 1e-3 && value < 1e4
    ? String(Number(value.toPrecision(3)))
    : value.toExponential(0).replace('+', '');

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
