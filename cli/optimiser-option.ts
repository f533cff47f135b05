import { InvalidArgumentError } from 'commander';
import type { OptimiserKind, OptimiserOptions, TrainingSettings } from '../train/index.ts';

/** The options of each optimiser in the order of the command line; a switch is written as its name. */
const fields: {
  readonly [Kind in OptimiserKind]: readonly Exclude<
    keyof Extract<OptimiserOptions, { kind: Kind }>,
    'kind'
  >[];
} = {
  adam: ['beta1', 'beta2', 'epsilon'],
  sgd: ['momentum', 'nesterov'],
};

const isKind = (name: string): name is OptimiserKind => Object.hasOwn(fields, name);

/** Reads `adam`, `adam:0.9:0.999:1e-8`, `sgd`, `sgd:0.9`, `sgd:0.9:nesterov`. The schema checks the numbers. */
export function optimiser(text: string): TrainingSettings['optimiser'] {
  const [kind, ...values] = text.split(':') as [string, ...string[]];
  const names: readonly string[] = isKind(kind) ? fields[kind] : [];
  const options = values.map((value, index) => [
    names[index],
    value === names[index] || (value.trim() === '' ? Number.NaN : Number(value)),
  ]);
  if (!isKind(kind) || values.length > names.length || options.some(([, value]) => Number.isNaN(value)))
    throw new InvalidArgumentError('Expected adam[:BETA1[:BETA2[:EPSILON]]] or sgd[:MOMENTUM[:nesterov]].');
  return { kind, ...Object.fromEntries(options) };
}
