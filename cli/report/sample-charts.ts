/** Charts of single examples on their way through a spiking network. */
import * as Plot from '@observablehq/plot';
import { grouped } from '../output.ts';
import { type Chart, framed } from './frame.ts';
import { series } from './style.ts';
import type { LayerTrace, SampleTrace } from './traces.ts';

/** Spikes that a raster shows; of more, every second or third unit stands for its neighbours. */
const MOST_SPIKES = 4000;

export const sampleCharts = (samples: readonly SampleTrace[], classNames: readonly string[]): Chart[] =>
  samples.flatMap((sample) => [rasterChart(sample, classNames), membraneChart(sample, classNames)]);

function nameOf({ sample, label, predicted }: SampleTrace, classNames: readonly string[]): string {
  const name = (index: number): string => classNames[index] ?? String(index);
  const answer = label === predicted ? 'answered right' : `taken for ${name(predicted)}`;
  return `example ${sample} of class ${name(label)}, ${answer}`;
}

function rasterChart(sample: SampleTrace, classNames: readonly string[]): Chart {
  const { layers, steps } = sample;
  const counts = layers.map(({ layer, spikes }) => `${layer} ${grouped(spikes.length)}`);
  return framed({
    name: `raster-${sample.sample}`,
    title: `Spikes of ${nameOf(sample, classNames)}`,
    caption: 'A mark for every spike: time to the right, units from below, one panel for each layer.',
    alternative: `Raster of ${nameOf(sample, classNames)}, over ${steps} time steps. Spikes by layer: ${counts.join(', ')}.`,
    isWide: true,
    plots: layers.map((trace, index) => rasterOf(trace, index, steps, index === layers.length - 1)),
  });
}

function rasterOf(
  { layer, units, spikes }: LayerTrace,
  index: number,
  steps: number,
  isLast: boolean,
): Plot.PlotOptions {
  const stride = Math.max(1, Math.ceil(spikes.length / MOST_SPIKES));
  const shown = spikes.filter(({ unit }) => unit % stride === 0);
  return {
    height: Math.min(190, 70 + units) + (isLast ? 24 : 0),
    marginLeft: 56,
    marginRight: 16,
    marginTop: 24,
    marginBottom: isLast ? 36 : 10,
    x: { domain: [0, steps], label: isLast ? 'time step →' : null, ...(!isLast && { axis: null }) },
    y: {
      domain: [0, units],
      label: `↑ unit of ${layer}${stride > 1 ? `, every ${stride}th` : ''}`,
      ticks: 3,
    },
    marks: [
      Plot.frame({ stroke: 'var(--line)' }),
      Plot.ruleX(shown, {
        x: 'time',
        y1: 'unit',
        y2: ({ unit }: { unit: number }) => Math.min(units, unit + Math.max(0.9, units / 60)),
        stroke: series(index),
        strokeWidth: Math.max(1.2, Math.min(3, 300 / steps)),
      }),
    ],
  };
}

function membraneChart(sample: SampleTrace, classNames: readonly string[]): Chart {
  const { layers, steps } = sample;
  return framed({
    name: `membranes-${sample.sample}`,
    title: `Membranes of ${nameOf(sample, classNames)}`,
    caption:
      'Of each layer the units that fire nearest to every other step: how far the membrane is above its threshold, before a spike resets it. Above 0 it fires.',
    alternative: `Membrane traces of ${nameOf(sample, classNames)}: up to three units of each of ${layers.length} layers over ${steps} steps.`,
    isWide: true,
    plots: layers.map(({ layer, membranes }, index) => {
      const isLast = index === layers.length - 1;
      const points = membranes.flatMap(({ unit, values }) =>
        values.map((value, time) => ({ unit: `unit ${unit}`, value, time })),
      );
      return {
        height: 150 + (isLast ? 24 : 0),
        marginLeft: 56,
        marginRight: 70,
        marginTop: 24,
        marginBottom: isLast ? 36 : 10,
        x: { domain: [0, steps], label: isLast ? 'time step →' : null, ...(!isLast && { axis: null }) },
        y: { label: `↑ u − θ of ${layer}`, ticks: 4, grid: true },
        marks: [
          Plot.ruleY([0], { stroke: 'currentColor', strokeOpacity: 0.6 }),
          ...membranes.flatMap(({ unit }, which) => {
            const own = points.filter((point) => point.unit === `unit ${unit}`);
            return [
              Plot.line(own, { x: 'time', y: 'value', stroke: series(which), strokeWidth: 1.5 }),
              Plot.text(own.slice(-1), {
                text: 'unit',
                frameAnchor: 'right',
                textAnchor: 'start',
                dx: 8,
                dy: (which - 1) * 17,
                fill: series(which),
              }),
            ];
          }),
        ],
      };
    }),
  });
}
