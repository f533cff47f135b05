import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Schedule, type TrainingSettings, trainingOptionsSchema } from '../train/index.ts';
import { count, number, whole } from './options.ts';

/** `0.01` stays; `0.05:0.001` goes from one to the other along a cosine. */
function schedule(text: string): Schedule {
  const [from = Number.NaN, to, ...more] = text.split(':').map(number);
  if (more.length > 0) throw new InvalidArgumentError('Expected a number, or two as FROM:TO.');
  return to === undefined ? from : { shape: 'cosine', from, to, start: 0, end: 1 };
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
  mix: ['part', number],
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
  return command;
}

/** The options that were given. */
export const settingsOf = (options: Readonly<Record<string, unknown>>): TrainingSettings =>
  Object.fromEntries(names.filter((name) => name in options).map((name) => [name, options[name]]));
