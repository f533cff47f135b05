import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Schedule, type TrainingSettings, trainingOptionsSchema } from '../train/index.ts';
import { addEstimator, estimatorSettings } from './estimator-options.ts';
import { count, number, whole } from './options.ts';

/**
 * `0.01` stays; `0.05:0.001` goes from one to the other, `1:0.05:0.4:0.9` does so between two parts of the training.
 */
const way =
  (shape: Exclude<Schedule, number>['shape']) =>
  (text: string): Schedule => {
    const numbers = text.split(':').map(number);
    const [from = Number.NaN, to, start = 0, end = 1] = numbers;
    if (![1, 2, 4].includes(numbers.length))
      throw new InvalidArgumentError('Expected a number, FROM:TO or FROM:TO:START:END.');
    return to === undefined ? from : { shape, from, to, start, end };
  };

const schedule = way('cosine');
const cooling = way('exponential');

/** `bernoulli`, or `gaussian`, `gaussian:channel`, `gaussian:channel:0.5` with its scale and prior. */
function posterior(text: string): TrainingSettings['posterior'] {
  const [family, scale, prior, ...more] = text.split(':');
  const given = { family, ...(scale && { scale }), ...(prior && { prior: number(prior) }) };
  const { success, data } = trainingOptionsSchema.shape.posterior.safeParse(given);
  if (success && more.length === 0) return data;
  throw new InvalidArgumentError('Expected bernoulli or gaussian[:layer|channel|weight[:PRIOR]].');
}

const { shape } = trainingOptionsSchema;
const penalties: readonly string[] = shape.penalty.unwrap().options;

function penalty(text: string): string {
  if (!penalties.includes(text)) throw new InvalidArgumentError(`Expected one of ${penalties.join(', ')}.`);
  return text;
}

/** The options of a training that the command line has, how their values are called, and how they are read. */
const flags = {
  epochs: ['count', count],
  batchSize: ['count', count],
  learningRate: ['rate', schedule],
  seed: ['number', whole],
  shift: ['pixels', whole],
  posterior: ['family', posterior],
  temperature: ['tau', cooling],
  noiseScale: ['factor', cooling],
  penalty: ['form', penalty],
  penaltyWeight: ['weight', schedule],
  divergenceWeight: ['weight', schedule],
} as const satisfies Partial<
  Record<keyof TrainingSettings, readonly [value: string, (text: string) => unknown]>
>;

const names = Object.keys(flags) as (keyof typeof flags)[];

/** As it is written on the command line. */
const shown = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'from' in value && 'to' in value
    ? `${value.from}:${value.to}`
    : typeof value === 'object' && value !== null && 'family' in value
      ? String(value.family)
      : String(value);

/** Adds the options of a training; what they mean and their defaults are the schema's. */
export function addTraining(command: Command): Command {
  const defaults = trainingOptionsSchema.parse({});
  for (const name of names) {
    const [value, parser]: readonly [string, (text: string) => unknown] = flags[name];
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} <${value}>`;
    // The default stays out of the values: resuming must tell what was given.
    const description = `${shape[name].description?.replace(/\.$/, '')} (default: ${shown(defaults[name])})`;
    command.addOption(new Option(flag, description).argParser(parser));
  }
  return addEstimator(command);
}

/** The options that were given. */
export const settingsOf = (options: Readonly<Record<string, unknown>>): TrainingSettings => ({
  ...Object.fromEntries(names.filter((name) => name in options).map((name) => [name, options[name]])),
  ...estimatorSettings(options),
});
