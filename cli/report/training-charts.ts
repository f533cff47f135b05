/** Charts of how a training went, epoch by epoch. */
import * as Plot from '@observablehq/plot';
import type { EpochFigures } from '../../train/index.ts';
import { percent } from '../output.ts';
import { type Chart, framed } from './frame.ts';
import { dashes, series } from './style.ts';

type History = readonly EpochFigures[];

interface Point {
  readonly epoch: number;
  readonly value: number;
  readonly name: string;
}

type ValueOf = (figures: EpochFigures) => number | undefined;

const pointsOf = (history: History, name: string, value: ValueOf): Point[] =>
  history.flatMap((figures) => {
    const found = value(figures);
    return found === undefined ? [] : [{ epoch: figures.epoch + 1, value: found, name }];
  });

interface LineChart extends Pick<Chart, 'name' | 'title' | 'caption'> {
  readonly lines: Readonly<Record<string, readonly Point[]>>;
  readonly y: Plot.ScaleOptions;
  readonly text: (value: number) => string;
}

/** Lines over the epochs; undefined where there is nothing to draw. */
function lineChart({ lines, y, text, ...about }: LineChart): Chart | undefined {
  const names = Object.keys(lines).filter((name) => lines[name]!.length > 0);
  if (names.length === 0) return undefined;
  const epochs = names.flatMap((name) => lines[name]!.map(({ epoch }) => epoch));
  const last = names.map((name) => `${name} ends at ${text(lines[name]!.at(-1)!.value)}`);
  const [from, to] = [Math.min(...epochs), Math.max(...epochs)];
  const values = names.flatMap((name) => lines[name]!.map(({ value }) => value));
  return framed({
    ...about,
    alternative: `${about.title}, epochs ${from} to ${to}: ${last.join(', ')}.`,
    legend: names.length > 1 ? names : [],
    plots: [
      {
        marginLeft: 56,
        marginRight: 16,
        marginBottom: 44,
        x: {
          label: 'epoch →',
          domain: [from, Math.max(to, from + 1)],
          ticks: Math.min(8, to - from + 1),
          tickFormat: 'd',
        },
        y: {
          grid: true,
          label: null,
          ticks: 5,
          nice: true,
          ...y,
          ...(y.type === 'log' && powersAround(values)),
        },
        marks: names.flatMap((name, index) => [
          Plot.line(lines[name]!, {
            x: 'epoch',
            y: 'value',
            stroke: series(index),
            strokeWidth: 2,
            strokeDasharray: dashes(index),
          }),
          Plot.dot(lines[name]!.length < 30 ? lines[name]! : [], {
            x: 'epoch',
            y: 'value',
            r: 2.5,
            fill: series(index),
          }),
        ]),
      },
    ],
  });
}

/** An axis from one power of ten to another, with lines at powers alone. */
function powersAround(values: readonly number[]): Plot.ScaleOptions {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const step = Math.ceil((high - low) / 6);
  const powers = Array.from(
    { length: Math.floor((high - low) / step) + 1 },
    (_, index) => low + index * step,
  );
  return { domain: [10 ** low, 10 ** high], ticks: powers.map((power) => 10 ** power) };
}

const four = (value: number): string => value.toPrecision(4);

/** A line of each layer that has the figure, under its name. */
function byLayer(history: History, figure: (layer: LayerOf) => number | undefined): Record<string, Point[]> {
  const names = [...new Set(history.flatMap(({ layers = [] }) => layers.map(({ layer }) => layer)))];
  return Object.fromEntries(
    names.map((name) => [
      name,
      pointsOf(history, name, ({ layers = [] }) => {
        const found = layers.find(({ layer }) => layer === name);
        return found && figure(found);
      }),
    ]),
  );
}

type LayerOf = NonNullable<EpochFigures['layers']>[number];

const loss: ValueOf = ({ reports }) => reports['crossEntropy'] ?? reports['negativeLogLikelihood'];

/** Of gradients that vanish a logarithm has no place. */
const normOf = ({ gradients }: LayerOf): number | undefined => {
  const norm = gradients && Math.hypot(...Object.values(gradients));
  return norm === 0 ? undefined : norm;
};

/** Every chart that the history has figures for. */
export function trainingCharts(history: History): Chart[] {
  const charts = [
    lineChart({
      name: 'loss',
      title: 'Loss, nats',
      caption:
        'Mean −log p of the answer. Training: under the noise of every step. Validation: held-out examples.',
      lines: {
        training: pointsOf(history, 'training', loss),
        validation: pointsOf(history, 'validation', ({ validation }) => validation?.loss),
      },
      y: { zero: true },
      text: (value) => `${four(value)} nats`,
    }),
    lineChart({
      name: 'accuracy',
      title: 'Accuracy',
      caption: 'Part of the examples whose most probable class is theirs.',
      lines: {
        training: pointsOf(history, 'training', ({ reports }) => reports['accuracy']),
        validation: pointsOf(history, 'validation', ({ validation }) => validation?.accuracy),
      },
      y: { tickFormat: '.0%' },
      text: percent,
    }),
    lineChart({
      name: 'spike-rates',
      title: 'Spike rates',
      caption: 'Part of all units, examples and times of an epoch’s last step that fired, by layer.',
      lines: byLayer(history, ({ firing }) => firing?.rate),
      y: { tickFormat: '.0%', zero: true },
      text: percent,
    }),
    lineChart({
      name: 'distances',
      title: 'Distance from the threshold, |u/σ|',
      caption:
        'Mean over the neurons of a layer, in deviations of the noise. Beyond 3 hardly any gradient passes.',
      lines: byLayer(history, ({ firing }) => firing?.distance),
      y: { zero: true },
      text: four,
    }),
    lineChart({
      name: 'gradients',
      title: 'Gradient norms',
      caption: 'Length of the gradient of a layer’s weights, before clipping; the scale is logarithmic.',
      lines: byLayer(history, normOf),
      y: { type: 'log', tickFormat: '.0e' },
      text: (value) => value.toExponential(1),
    }),
  ];
  return charts.filter((chart) => chart !== undefined);
}
