/** Charts of what a posterior is sure of, and of how its frozen network answers. */
import * as Plot from '@observablehq/plot';
import type { Evaluation } from '../../runtime/index.ts';
import { grouped, percent } from '../output.ts';
import { type Chart, framed, WIDTH } from './frame.ts';
import type { Judged } from './gather.ts';
import type { LayerSigns } from './signs.ts';
import { series } from './style.ts';

/** A small histogram for each tensor of weights, two in a row. */
export function signsChart(signs: readonly LayerSigns[]): Chart {
  const bins = signs.flatMap(({ name, parts }, index) =>
    parts.map((part, bin) => ({
      name,
      column: index % 2,
      row: Math.floor(index / 2),
      part,
      from: bin / parts.length,
      to: (bin + 1) / parts.length,
    })),
  );
  const rows = Math.ceil(signs.length / 2);
  const sure = signs.map(({ name, parts }) => `${name} ${percent(parts[0]! + parts.at(-1)!)}`);
  const heads = bins.filter(({ from }) => from === 0);
  return framed({
    name: 'signs',
    title: 'How sure the posterior is of every sign',
    caption:
      'Part of the weights of each layer by P(w > 0). What stands at 0 and 1 freezes without loss; what stands at ½ is a coin toss.',
    alternative: `Histograms of P(w > 0) by layer. Weights below 0.05 or above 0.95: ${sure.join(', ')}.`,
    isWide: true,
    plots: [
      {
        height: 40 + 150 * rows,
        marginLeft: 52,
        marginRight: 16,
        marginTop: 20,
        x: { label: 'P(w > 0) →', domain: [0, 1], ticks: 5 },
        y: { label: null, grid: true, tickFormat: '.0%', ticks: 3 },
        fx: { axis: null, padding: 0.08 },
        fy: { axis: null, padding: 0.28 },
        marks: [
          Plot.rectY(bins, {
            x1: 'from',
            x2: 'to',
            y: 'part',
            fx: 'column',
            fy: 'row',
            fill: series(0),
            inset: 0.75,
          }),
          Plot.ruleY([0], { stroke: 'currentColor', strokeOpacity: 0.4 }),
          Plot.text(heads, {
            fx: 'column',
            fy: 'row',
            text: 'name',
            frameAnchor: 'top-left',
            dy: -16,
            fontWeight: 600,
          }),
        ],
      },
    ],
  });
}

/** The largest number of classes whose cells still hold numbers that can be read. */
const MOST_NUMBERS = 12;

export function confusionChart({ confusion }: Judged, classNames: readonly string[]): Chart {
  // Names may be alike, or long: the axes are of numbers, and a name stands beside its own.
  const cells = confusion.flatMap((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, predicted) => ({ label, predicted, count, part: total > 0 ? count / total : 0 }));
  });
  const shorter = (index: number): string => {
    const name = classNames[index] ?? String(index);
    return name.length > 12 ? `${name.slice(0, 11)}…` : name;
  };
  const wrong = cells
    .filter(({ label, predicted, count }) => label !== predicted && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, 3)
    .map(({ label, predicted, count }) => `${shorter(label)} taken for ${shorter(predicted)} ${count} times`);
  const side = Math.max(...confusion.map((_, index) => shorter(index).length));
  const step = confusion.length > MOST_NUMBERS ? Math.ceil(confusion.length / 20) : 1;
  const ticks = confusion.map((_, index) => index).filter((index) => index % step === 0);
  return framed({
    name: 'confusion',
    title: 'Confusion matrix',
    caption:
      'Examples of a class (row) by the class that they are taken for (column); shade: part of the row.',
    alternative: `Confusion matrix of ${confusion.length} classes. Most frequent: ${wrong.join(', ') || 'no mistake'}.`,
    isTall: true,
    height: WIDTH - 20,
    plots: [
      {
        marginLeft: 34 + side * 7,
        marginBottom: side > 3 ? 24 + side * 5 : 40,
        marginTop: 12,
        marginRight: 8,
        padding: 0.04,
        x: {
          label: 'taken for →',
          domain: confusion.map((_, index) => index),
          ticks,
          tickFormat: shorter,
          tickRotate: side > 3 ? -40 : 0,
        },
        y: { label: '↓ class', domain: confusion.map((_, index) => index), ticks, tickFormat: shorter },
        marks: [
          Plot.cell(cells, {
            x: 'predicted',
            y: 'label',
            fill: ({ part }: { part: number }) => `rgba(var(--heat), ${(0.04 + 0.5 * part).toFixed(3)})`,
          }),
          Plot.text(confusion.length > MOST_NUMBERS ? [] : cells.filter(({ count }) => count > 0), {
            x: 'predicted',
            y: 'label',
            text: ({ count }: { count: number }) => String(count),
            fontSize: 11.5,
          }),
        ],
      },
    ],
  });
}

export function reliabilityChart({ calibration }: Evaluation): Chart {
  const bins = calibration.bins.filter(({ count }) => count > 0);
  const most = Math.max(...bins.map(({ count }) => count));
  return framed({
    name: 'reliability',
    title: `Reliability, ECE ${calibration.error.toFixed(4)}`,
    caption:
      'How often answers are right, by how sure the network is of them; on the line it knows what it knows. Dots: as large as their bin is full.',
    alternative: `Reliability diagram of ${bins.length} bins, expected calibration error ${calibration.error.toFixed(4)}.`,
    height: 280,
    plots: [
      {
        marginLeft: 56,
        marginRight: 24,
        marginTop: 32,
        marginBottom: 44,
        x: { label: 'top probability →', domain: [0, 1], tickFormat: '.0%', ticks: 5 },
        y: { label: '↑ accuracy', domain: [0, 1], tickFormat: '.0%', grid: true, ticks: 5 },
        r: { range: [2, 9], domain: [0, most] },
        marks: [
          Plot.line(
            [
              [0, 0],
              [1, 1],
            ],
            { stroke: 'currentColor', strokeOpacity: 0.55, strokeDasharray: '4 4' },
          ),
          Plot.ruleX(bins, {
            x: 'confidence',
            y1: 'confidence',
            y2: 'accuracy',
            stroke: series(1),
            strokeWidth: 2,
          }),
          Plot.dot(bins, { x: 'confidence', y: 'accuracy', r: 'count', fill: series(0) }),
        ],
      },
    ],
  });
}

/** Points of a curve that a chart of this width can show. */
const POINTS = 300;

export function riskChart({ riskCoverage, accuracy }: Evaluation): Chart {
  const { curve, area } = riskCoverage;
  const stride = Math.max(1, Math.ceil(curve.length / POINTS));
  const shown = curve.filter((_, index) => index % stride === 0 || index === curve.length - 1);
  return framed({
    name: 'risk-coverage',
    title: `Risk and coverage, AURC ${area.toPrecision(3)}`,
    caption: 'Errors among the answers that are given, where the least sure are left out.',
    alternative: `Risk against coverage: ${percent(1 - accuracy)} errors where all are answered; area ${area.toPrecision(3)}.`,
    height: 280,
    plots: [
      {
        marginLeft: 56,
        marginRight: 24,
        marginBottom: 44,
        x: { label: 'coverage →', domain: [0, 1], tickFormat: '.0%', ticks: 5 },
        y: { label: '↑ errors', zero: true, tickFormat: '.1%', grid: true, ticks: 5 },
        marks: [
          Plot.areaY(shown, { x: 'coverage', y: 'risk', fill: series(0), fillOpacity: 0.15 }),
          Plot.line(shown, { x: 'coverage', y: 'risk', stroke: series(0), strokeWidth: 2 }),
        ],
      },
    ],
  });
}

/** In words, for the page: how many of how many. */
export const countText = ({ examples, accuracy }: Evaluation): string =>
  `${grouped(Math.round(accuracy * examples))} of ${grouped(examples)} examples are answered right.`;
