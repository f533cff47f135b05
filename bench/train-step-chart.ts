import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Clock } from './harness.ts';
import type { Cost } from './train-step-sweep.ts';

const PLOT = { width: 310, height: 300, top: 40 };
const LEGEND_HEIGHT = 34;

/** Hues that are told from a light ground and from a dark one. */
const colors: Readonly<Record<string, string>> = {
  bitspike: 'hsl(355, 70%, 50%)',
  pytorch: 'hsl(215, 70%, 55%)',
  'pytorch-stepwise': 'hsl(275, 55%, 58%)',
  snntorch: 'hsl(150, 60%, 38%)',
};

/** Milliseconds of a step against each thing that was varied, a line per contender: an SVG. */
export function sweepChart(title: string, costs: readonly Cost[], clock: Clock): string {
  const { document } = parseHTML('<html><body></body></html>');
  const names = [...new Set(costs.map(({ varied }) => varied))];
  const contenders = [...new Set(costs.map(({ contender }) => contender))];
  const plots = names.map((name, index) => {
    const plot = sweepPlot(name, costs, { contenders, clock, document });
    plot.setAttribute('x', String(8 + index * PLOT.width));
    plot.setAttribute('y', String(PLOT.top));
    return plot.outerHTML;
  });
  const [width, height] = [16 + names.length * PLOT.width, PLOT.top + PLOT.height + LEGEND_HEIGHT];
  const legend = contenders.map((name, index) => {
    const [x, y] = [16 + index * 150, height - 14];
    return (
      `<line x1="${x}" x2="${x + 24}" y1="${y}" y2="${y}" stroke="${colors[name] ?? 'gray'}" stroke-width="2.5"/>` +
      `<text x="${x + 30}" y="${y}" dy="0.32em">${name}</text>`
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    '<style>:root{color:#1f2328;background:#fff}@media(prefers-color-scheme:dark){:root{color:#e6edf3;background:#0d1117}}' +
      'text{font:12px system-ui,sans-serif;fill:currentColor}.title{font-size:15px;font-weight:600}</style>',
    `<text class="title" x="12" y="24">${title}</text>`,
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

interface Around {
  readonly contenders: readonly string[];
  readonly clock: Clock;
  readonly document: unknown;
}

function sweepPlot(
  name: string,
  costs: readonly Cost[],
  { contenders, clock, document }: Around,
): SvgElement {
  const points = costs.filter(({ varied }) => varied === name);
  const channels = { x: 'point', y: 'milliseconds', stroke: 'contender' } as const;
  const all = costs.map(({ milliseconds }) => milliseconds);
  const options = {
    document,
    width: PLOT.width,
    height: PLOT.height,
    marginLeft: 44,
    marginTop: 30,
    marginBottom: 36,
    style: { background: 'transparent', color: 'currentColor' },
    x: {
      type: 'log',
      base: 2,
      label: name,
      ticks: [...new Set(points.map(({ point }) => point))],
      tickFormat: String,
    },
    y: {
      type: 'log',
      label: clock === 'wall' ? '↑ ms per step' : '↑ ms of a processor per step',
      grid: true,
      domain: [Math.min(...all) * 0.8, Math.max(...all) * 1.2],
      tickFormat: (value: number) => String(Number(value.toPrecision(3))),
    },
    color: { domain: contenders, range: contenders.map((each) => colors[each] ?? 'gray') },
    marks: [
      Plot.lineY(points, { ...channels, strokeWidth: 2 }),
      Plot.dot(points, { ...channels, r: 2.5, fill: 'contender' }),
    ],
  };
  return Plot.plot(options as Plot.PlotOptions) as unknown as SvgElement;
}
