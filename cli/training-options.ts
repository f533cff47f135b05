import { type Command, InvalidArgumentError, Option } from 'commander';
import { type TrainingSettings, trainingOptionsSchema } from '../train/index.ts';
import { augment } from './augment-option.ts';
import { addEstimator, estimatorSettings } from './estimator-options.ts';
import { earlyStopping, likelihood, network } from './objective-options.ts';
import { optimiser } from './optimiser-option.ts';
import { count, number, oneOf, whole } from './options.ts';
import { scheduleReader } from './schedule.ts';

const schedule = scheduleReader('cosine');
const cooling = scheduleReader('exponential');

/** `bernoulli`, or `gaussian`, `gaussian:channel`, `gaussian:channel:0.5` with its scale and prior. */
function posterior(text: string): TrainingSettings['posterior'] {
  const [family, scale, prior, ...more] = text.split(':');
  const given = { family, ...(scale && { scale }), ...(prior && { prior: number(prior) }) };
  const { success, data } = trainingOptionsSchema.shape.posterior.safeParse(given);
  if (success && more.length === 0) return data;
  throw new InvalidArgumentError('Expected bernoulli or gaussian[:layer|channel|weight[:PRIOR]].');
}

/** A number, or `data`, `data:0.5` with the scale that currents are to have, `data:0.5:centre` around 0. */
function initialGain(text: string): TrainingSettings['initialGain'] {
  const [kind, scale, centre, ...more] = text.split(':');
  if (kind !== 'data') return number(text);
  const given =
    scale === undefined ? kind : { kind, scale: number(scale), ...(centre === 'centre' && { centre: true }) };
  const { success, data } = trainingOptionsSchema.shape.initialGain.safeParse(given);
  if (success && more.length === 0 && (centre ?? 'centre') === 'centre') return data;
  throw new InvalidArgumentError('Expected a number, or data[:SCALE[:centre]].');
}

const { shape } = trainingOptionsSchema;

/** The options of a training that the command line has, how their values are called, and how they are read. */
const flags = {
  epochs: ['count', count],
  batchSize: ['count', count],
  learningRate: ['rate', schedule],
  otherRates: ['rate', schedule],
  scaleRates: ['rate', schedule],
  gainRates: ['rate', schedule],
  biasRates: ['rate', schedule],
  neuronRates: ['rate', schedule],
  optimiser: ['form', optimiser],
  clipNorm: ['norm', number],
  seed: ['number', whole],
  shift: ['pixels', whole],
  augment: ['kind:value,…', augment],
  labelSmoothing: ['part', number],
  likelihood: ['kind', likelihood],
  noiseSamples: ['count', count],
  validation: ['part', number],
  validationNetwork: ['name', network],
  validationSamples: ['count', count],
  earlyStopping: ['epochs', earlyStopping],
  posterior: ['family', posterior],
  temperature: ['tau', cooling],
  noiseScale: ['factor', cooling],
  drawScale: ['factor', schedule],
  noise: ['span', oneOf(shape.noise.unwrap().options)],
  penalty: ['form', oneOf(shape.penalty.unwrap().options)],
  penaltyWeight: ['weight', schedule],
  checkpointing: ['steps', (text: string) => ({ every: count(text) })],
  divergenceWeight: ['weight', schedule],
  initialSpread: ['sd', number],
  initialGain: ['factor', initialGain],
  initialBiasRho: ['rho', number],
} as const satisfies Partial<
  Record<keyof TrainingSettings, readonly [value: string, (text: string, before: never) => unknown]>
>;

const names = Object.keys(flags) as (keyof typeof flags)[];

/** Options that are false unless their flag is there. */
const switches = ['dropLast', 'unroll'] as const satisfies readonly (keyof TrainingSettings)[];

const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const descriptionOf = (name: keyof TrainingSettings): string =>
  shape[name].description?.replace(/\.$/, '') ?? '';

/** As it is written on the command line. */
function shown(value: unknown): string {
  if (Array.isArray(value) && value.length === 0) return 'none';
  if (typeof value !== 'object' || value === null) return String(value);
  if ('from' in value && 'to' in value) return `${value.from}:${value.to}`;
  return String('family' in value ? value.family : 'kind' in value ? value.kind : value);
}

/** Adds the options of a training; what they mean and their defaults are the schema's. */
export function addTraining(command: Command): Command {
  const defaults = trainingOptionsSchema.parse({});
  for (const name of names) {
    const [value, parser] = flags[name] as readonly [string, (text: string, before: unknown) => unknown];
    // The default stays out of the values: resuming must tell what was given.
    const standard = defaults[name] === undefined ? '' : ` (default: ${shown(defaults[name])})`;
    const description = `${descriptionOf(name)}${standard}`;
    command.addOption(new Option(`${flagOf(name)} <${value}>`, description).argParser(parser));
  }
  for (const name of switches) command.option(flagOf(name), descriptionOf(name));
  return addEstimator(command);
}

/** The options that were given. */
export const settingsOf = (options: Readonly<Record<string, unknown>>): TrainingSettings => ({
  ...Object.fromEntries(
    [...names, ...switches].filter((name) => name in options).map((name) => [name, options[name]]),
  ),
  ...estimatorSettings(options),
});
