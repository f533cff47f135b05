import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { escaped } from './html.ts';
import { chartCss, coloursCss, dashes, series } from './style.ts';

/** A chart with what is said of it. */
export interface Chart {
  /** Of its file, without the ending. */
  readonly name: string;
  readonly title: string;
  /** What it shows and how it is read, in a sentence or two. */
  readonly caption: string;
  /** The chart in words, for who does not see it. */
  readonly alternative: string;
  /** Takes the whole width. */
  readonly isWide?: true;
  /** Takes the height of two others. */
  readonly isTall?: true;
  /** An `<svg>` element, which takes its colours from variables. */
  readonly svg: string;
}

/** What is used of an element; Plot's own types are those of a browser. */
interface SvgElement {
  readonly outerHTML: string;
  setAttribute(name: string, value: string): void;
}

export interface Frame extends Omit<Chart, 'svg'> {
  /** Names of the series, in the order of their colours; none where there is one. */
  readonly legend?: readonly string[];
  readonly plots: readonly Plot.PlotOptions[];
  readonly width?: number;
  readonly height?: number;
}

export const WIDTH = 500;
export const WIDE = 1040;
const HEIGHT = 270;
const LINE = 20;
const TITLE = 26;

/** Draws plots below one another, under a title and a legend. */
export function framed(frame: Frame): Chart {
  const { legend = [], plots, isWide, isTall, title, alternative, name, caption } = frame;
  const { width = isWide ? WIDE : WIDTH, height = HEIGHT } = frame;
  const { document } = parseHTML('<html><body></body></html>');
  const keys = keysOf(legend, width);
  const top = TITLE + keys.height;
  const drawn = plots.map((options, index) => {
    const style = { background: 'transparent', color: 'currentColor', fontSize: '12.5px' };
    const given = { ...options, document, width, height: options.height ?? height, style };
    const plot = Plot.plot(given as Plot.PlotOptions) as unknown as SvgElement;
    const before = plots.slice(0, index).reduce((sum, each) => sum + (each.height ?? height), 0);
    plot.setAttribute('y', String(top + before));
    plot.setAttribute('aria-hidden', 'true');
    return plot.outerHTML;
  });
  const whole = top + plots.reduce((sum, each) => sum + (each.height ?? height), 0);
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${whole}" width="${width}" height="${whole}" role="img" aria-label="${escaped(alternative)}">`,
    `<text x="0" y="15" fill="currentColor" font-size="15" font-weight="650">${escaped(title)}</text>`,
    keys.svg,
    ...drawn,
    '</svg>',
  ].join('\n');
  return { name, title, caption, alternative, ...(isWide && { isWide }), ...(isTall && { isTall }), svg };
}

/** A legend in as many lines as it takes. */
function keysOf(legend: readonly string[], width: number): { svg: string; height: number } {
  let [x, line] = [0, 0];
  const items = legend.map((text, index) => {
    const wide = 30 + text.length * 7;
    if (x > 0 && x + wide > width) [x, line] = [0, line + 1];
    const y = TITLE + line * LINE + 10;
    const item =
      `<line x1="${x}" x2="${x + 18}" y1="${y}" y2="${y}" stroke="${series(index)}" stroke-width="3" stroke-dasharray="${dashes(index)}"/>` +
      `<text x="${x + 24}" y="${y}" dy="0.34em" fill="currentColor" font-size="12.5">${escaped(text)}</text>`;
    x += wide + 10;
    return item;
  });
  return { svg: items.join(''), height: legend.length === 0 ? 0 : (line + 1) * LINE + 4 };
}

/** A chart as a file of its own. */
export const svgFile = ({ svg }: Chart): string =>
  `${svg.replace('\n', `\n<style>${coloursCss}:root{background:var(--ground)}${chartCss}</style>\n`)}\n`;
