import { type Command, Option } from 'commander';
import type { LayerFigures, MonitorProgress, RunOptions } from '../train/index.ts';
import { count } from './options.ts';
import { percent, table } from './output.ts';

/** What `--monitor` and `--no-monitor` leave: nothing unless one was given. */
export interface MonitorFlags {
  readonly monitor?: number | boolean;
}

export const addMonitor = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--monitor <steps>',
        'Show spike rates and gradients every so many steps too, not only at the end of an epoch',
      ).argParser(count),
    )
    .option('--no-monitor', 'Show and keep no spike rates and gradients');

/** Looks at the end of every epoch unless told otherwise. */
export const monitoring = ({ monitor = true }: MonitorFlags): RunOptions['monitor'] =>
  typeof monitor === 'number' ? { every: monitor } : monitor;

const exponential = (value: number): string => value.toExponential(1);

/** `1.lif   6.1 %   3 %   0 %   1.30   2.1e-3`: neurons, and the gradients of the weights that drive them. */
function rowsOf(layers: readonly LayerFigures[]): string[][] {
  const rows: string[][] = [];
  let norms: number[] = [];
  let name = '';
  for (const { layer, firing, gradients = {} } of layers) {
    norms.push(...Object.values(gradients));
    name = layer;
    if (!firing) continue;
    const { rate, silent, saturated, distance } = firing;
    rows.push([layer, ...[rate, silent, saturated].map(percent), distance.toFixed(2), gradientText(norms)]);
    norms = [];
  }
  // The last weights drive no neuron but the readout.
  if (norms.length > 0) rows.push([name, '', '', '', '', gradientText(norms)]);
  return rows;
}

const gradientText = (norms: readonly number[]): string => norms.map(exponential).join(' ') || '–';

/** What was seen of a step, as a table. */
export const monitorText = ({ epoch, epochs, step, layers }: MonitorProgress): string =>
  table([
    [`epoch ${epoch + 1}/${epochs}, step ${step}`, 'rate', 'never fire', 'always fire', '|u/σ|', '‖g‖'],
    ...rowsOf(layers),
  ]);
